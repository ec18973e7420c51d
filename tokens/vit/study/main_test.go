package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/burin-codec/burin/tokens/vit"
)

func TestReadClip(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("YUV4MPEG2 W34 H17 F25:1 C420jpeg\n")
	for f := range 2 {
		b.WriteString("FRAME\n")
		for i := range 34 * 17 {
			b.WriteByte(byte(f*100 + i%34))
		}
		b.Write(make([]byte, 2*17*9))
	}
	clip := b.Bytes()
	in, err := readClip(bytes.NewReader(clip))
	if err != nil || in.N != 4 || in.Validate() != nil {
		t.Fatal(in, err)
	}
	// The second patch of the second frame begins at column 16.
	if v := in.X[3*256]; v != float32(100+16-128)/64 || in.Frame[3] != 1 || in.Pos[3].X != 1 {
		t.Error(v, in.Frame, in.Pos)
	}
	for _, bad := range [][]byte{nil, []byte("YUV4MPEG2\n"), clip[:len(clip)-1], []byte("YUV4MPEG2 W99999 H16\n")} {
		if _, err := readClip(bytes.NewReader(bad)); err == nil {
			t.Errorf("%q is read", bad[:min(len(bad), 30)])
		}
	}
}

func TestRun(t *testing.T) {
	for _, args := range [][]string{nil, {"nothing"}, {"measure", "-data", "nowhere"}, {"video", "-clip", "nowhere"}, {"train", "-data", "nowhere"}} {
		var out strings.Builder
		if run(context.Background(), args, &out) == nil {
			t.Errorf("%q succeeds", args)
		}
	}
}

// The weights of the study are those of the network, trained.
func TestWeights(t *testing.T) {
	f, err := os.Open("fashion-mnist.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := vit.Load(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Config != vit.Small {
		t.Errorf("%+v", m.Config)
	}
	const data = "../../../../shared/data/fashion-mnist"
	test, err := vit.ReadSet(data, "t10k")
	if err != nil {
		t.Skip("the pictures are not there: ", err)
	}
	test.Labels, test.Pixels = test.Labels[:500], test.Pixels[:500*28*28]
	if a := m.Accuracy(test); a < 0.85 {
		t.Errorf("accuracy %.3f on 500 test pictures", a)
	}
}
