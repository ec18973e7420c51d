package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"io"

	"github.com/burin-codec/burin/codec"
)

const (
	pngMagic = "\x89PNG\r\n\x1a\n"
	// pngHeader is the size of the magic and the IHDR chunk.
	pngHeader = len(pngMagic) + 12 + 13
	// xmpKeyword starts an iTXt chunk with XMP; after its zero come the flag
	// and the method of compression, an empty language and an empty
	// translation of the keyword.
	xmpKeyword = "XML:com.adobe.xmp\x00"
)

func decodePNG(b []byte) (*Picture, error) {
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	p := &Picture{Image: m}
	readChunks(b, p)
	return p, nil
}

// readChunks collects the metadata of a PNG file that has been decoded, so that
// malformed chunks are passed over.
func readChunks(b []byte, p *Picture) {
	for b = b[len(pngMagic):]; len(b) >= 12; {
		size := uint64(binary.BigEndian.Uint32(b))
		if size > uint64(len(b)-12) {
			return
		}
		kind, data := string(b[4:8]), b[8:8+size]
		sum := binary.BigEndian.Uint32(b[8+size:])
		intact := crc32.ChecksumIEEE(b[4:8+size]) == sum
		b = b[12+size:]
		if !intact {
			continue
		}
		switch kind {
		case "iCCP": // name, zero, method, zlib
			if _, rest, ok := bytes.Cut(data, []byte{0}); ok && len(rest) > 1 && rest[0] == 0 {
				p.Metadata.ICC = inflate(rest[1:])
			}
		case "eXIf":
			p.Metadata.EXIF = bytes.Clone(bytes.TrimPrefix(data, []byte(prefixEXIF)))
		case "iTXt":
			rest, ok := bytes.CutPrefix(data, []byte(xmpKeyword))
			if !ok || len(rest) < 2 {
				continue
			}
			compressed := rest[0] == 1
			fields := bytes.SplitN(rest[2:], []byte{0}, 3)
			if len(fields) < 3 {
				continue
			}
			p.Metadata.XMP = bytes.Clone(fields[2])
			if compressed {
				p.Metadata.XMP = inflate(fields[2])
			}
		case "acTL":
			p.More = true
		case "IEND":
			return
		}
	}
}

// inflate returns what a zlib stream holds, nil if it is broken or holds more
// than codec.MaxMetadata.
func inflate(b []byte) []byte {
	zr, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(zr, codec.MaxMetadata+1))
	if err != nil || len(data) > codec.MaxMetadata {
		return nil
	}
	return data
}

// writePNG writes m, of a type that PNG can hold, with its metadata.
func writePNG(w io.Writer, m image.Image, meta *codec.Metadata) error {
	head := &chunkInserter{w: w}
	if len(meta.ICC) > 0 {
		head.chunk("iCCP", append([]byte("ICC profile\x00\x00"), deflate(meta.ICC)...))
	}
	if len(meta.EXIF) > 0 {
		head.chunk("eXIf", meta.EXIF)
	}
	if len(meta.XMP) > 0 {
		head.chunk("iTXt", append([]byte(xmpKeyword+"\x00\x00\x00\x00"), meta.XMP...))
	}
	return png.Encode(head, m)
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	zw := zlib.NewWriter(&b)
	zw.Write(data) // to a bytes.Buffer, which cannot fail
	zw.Close()
	return b.Bytes()
}

// A chunkInserter passes a PNG file on to w with chunks put in after the IHDR
// chunk, where all three kinds of metadata may stand.
type chunkInserter struct {
	w      io.Writer
	chunks []byte
	n      int // bytes written of the first pngHeader
}

func (c *chunkInserter) chunk(kind string, data []byte) {
	c.chunks = binary.BigEndian.AppendUint32(c.chunks, uint32(len(data)))
	start := len(c.chunks)
	c.chunks = append(append(c.chunks, kind...), data...)
	c.chunks = binary.BigEndian.AppendUint32(c.chunks, crc32.ChecksumIEEE(c.chunks[start:]))
}

func (c *chunkInserter) Write(p []byte) (int, error) {
	if c.n == pngHeader || c.n+len(p) < pngHeader {
		n, err := c.w.Write(p)
		if c.n < pngHeader {
			c.n += n
		}
		return n, err
	}
	rest := pngHeader - c.n
	c.n = pngHeader
	if n, err := c.w.Write(p[:rest]); err != nil {
		return n, err
	}
	if _, err := c.w.Write(c.chunks); err != nil {
		return rest, err
	}
	n, err := c.w.Write(p[rest:])
	return rest + n, err
}
