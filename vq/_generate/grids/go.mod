module github.com/burin-codec/burin/vq/_generate/grids

go 1.26.0
