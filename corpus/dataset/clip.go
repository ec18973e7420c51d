package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Clip is a film that is read frame by frame.
type Clip struct {
	frames *Y4MReader
	source io.ReadCloser
	err    error
}

// OpenClip opens a y4m file, a y4m stream on standard input, which is Options.Stdin,
// if the path is "-", or any other video that a program ffmpeg on the PATH can read.
// Nil Options are DefaultOptions. The Clip must be closed.
//
// ffmpeg hands over whole frames at the nominal rate of the film, so that it repeats
// or drops frames of a film whose rate varies, and turns them as the file asks. Films
// whose samples are not gray or YCbCr, or have more than 8 bits, are refused. No
// network is used whatever a file refers to.
func OpenClip(path string, o *Options) (*Clip, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if path == "-" {
		return openClip(context.Background(), path, kindStdin, o)
	}
	kind, err := sniffFile(path)
	switch {
	case err != nil:
		return nil, err
	case kind == kindPicture || kind == kindIDX || kind == kindLabels || kind == kindPDF:
		return nil, fmt.Errorf("%s: dataset: not a video", path)
	case kind == kindUnknown: // which ffmpeg may know
		kind = kindVideo
	}
	c, err := openClip(context.Background(), path, kind, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// openClip opens a clip of a known kind. When ctx is done, a running ffmpeg ends.
func openClip(ctx context.Context, path string, kind kind, o *Options) (*Clip, error) {
	var r io.ReadCloser
	var err error
	switch kind {
	case kindStdin:
		if o.Stdin == nil {
			return nil, errors.New("dataset: no standard input is at hand")
		}
		r = io.NopCloser(o.Stdin)
	case kindY4M, kindPipe:
		r, err = os.Open(path)
	default:
		r, err = startFFmpeg(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	d, err := NewY4MReader(r, o.Limits)
	if err != nil {
		err = explain(r, err)
		r.Close()
		return nil, err
	}
	return &Clip{frames: d, source: r}, nil
}

// Header returns the header of the clip.
func (c *Clip) Header() Y4MHeader { return c.frames.Header() }

// Next returns the next frame, or io.EOF after the last one if the whole clip could
// be read. Other errors are returned again by all later calls.
func (c *Clip) Next() (*Frame, error) {
	if c.err != nil {
		return nil, c.err
	}
	f, err := c.frames.Next()
	if err != nil {
		c.err = explain(c.source, err)
		return nil, c.err
	}
	return f, nil
}

// Skip passes over the next frame. Its errors are those of Next.
func (c *Clip) Skip() error {
	if c.err != nil {
		return c.err
	}
	if err := c.frames.Skip(); err != nil {
		c.err = explain(c.source, err)
	}
	return c.err
}

// Close ends a running ffmpeg and closes the file. It may be called while Next waits
// for a frame of ffmpeg, and makes it return an error.
func (c *Clip) Close() error { return c.source.Close() }

// An ffmpeg is a running program whose standard output is a y4m stream.
type ffmpeg struct {
	io.Reader
	cmd    *exec.Cmd
	cancel context.CancelFunc
	stderr firstBytes
	wait   func() error // waits for the program once, and returns the same error again
}

// startFFmpeg runs ffmpeg on a file.
func startFFmpeg(ctx context.Context, path string) (io.ReadCloser, error) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, fmt.Errorf("dataset: reading this video needs ffmpeg: install it so that it is on the PATH (%w)", err)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	p := new(ffmpeg)
	ctx, p.cancel = context.WithCancel(ctx)
	// With "file:" no name is taken for an option or an address, and with the list
	// of protocols no playlist opens one.
	p.cmd = exec.CommandContext(ctx, program, "-nostdin", "-v", "error", "-protocol_whitelist", "file",
		"-i", "file:"+path, "-f", "yuv4mpegpipe", "-strict", "-1", "-")
	p.cmd.Stderr = &p.stderr
	// A killed ffmpeg that was a script may leave children with its standard error.
	p.cmd.WaitDelay = time.Second
	p.Reader, err = p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.cancel()
		return nil, err
	}
	p.wait = sync.OnceValue(p.cmd.Wait)
	return p, nil
}

// explain returns why r, from which a y4m stream is read, made for an error. Where a
// stream ends, rightly or not, and comes from ffmpeg, that is what ffmpeg complains
// of.
func explain(r io.Reader, err error) error {
	p, ok := r.(*ffmpeg)
	if !ok || err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	exit := p.wait()
	if message := strings.TrimSpace(string(p.stderr)); message != "" {
		return fmt.Errorf("dataset: ffmpeg: %s", message)
	}
	if exit != nil {
		return fmt.Errorf("dataset: ffmpeg: %w", exit)
	}
	return err
}

func (p *ffmpeg) Close() error {
	p.cancel()
	p.wait()
	return nil
}

// firstBytes keeps the first bytes that are written to it.
type firstBytes []byte

func (b *firstBytes) Write(p []byte) (int, error) {
	const most = 1000
	*b = append(*b, p[:min(len(p), most-len(*b))]...)
	return len(p), nil
}
