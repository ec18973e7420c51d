package codec

import (
	"bufio"
	"context"
	"image"
	"io"
)

// An Encoder writes pictures as burin files.
type Encoder struct {
	w        io.Writer
	o        *Options
	codec    *Codec
	header   Header
	sections []SectionInfo
	written  int64
}

// NewEncoder returns an Encoder that writes to w. A nil o means
// [DefaultOptions]. It returns an OptionError for an option outside its range
// and an UnsupportedError when no registered codec can do what o asks for.
func NewEncoder(w io.Writer, o *Options) (*Encoder, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	c, err := choose(o)
	if err != nil {
		return nil, err
	}
	return &Encoder{w: w, o: o, codec: c}, nil
}

// Codec returns the name of the codec that Encode will use.
func (e *Encoder) Codec() string { return e.codec.Name }

// Encode writes m as one file. It returns soon after ctx is done, with the
// error of ctx; see Options.Stop for how to end it with a file. When it fails, an
// incomplete file may have been written.
func (e *Encoder) Encode(ctx context.Context, m image.Image) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	src, err := NewSource(m)
	if err != nil {
		return err
	}
	h := src.Header()
	h.Orientation = e.o.Orientation
	h.Codec, h.CodecID, h.CodecVersion = e.codec.Name, e.codec.ID, e.codec.Version

	buf := bufio.NewWriter(e.w)
	w := &SectionWriter{w: buf, known: e.codec.Sections}
	e.header, e.sections, e.written = *h, nil, 0
	if err := w.raw(appendHeader(nil, h)); err != nil {
		return err
	}
	if err := e.o.Metadata.write(w); err != nil {
		return err
	}
	e.o.Progress(0)
	if err := e.encode(ctx, src, w); err != nil {
		return err
	}
	if err := w.write(kindEnd, true, nil); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	e.sections, e.written = w.sections, w.n
	e.o.Progress(1)
	return nil
}

// encode runs the codec, and ends one that does not heed Stop.
func (e *Encoder) encode(ctx context.Context, src *Source, w *SectionWriter) error {
	o := *e.o
	o.Status = o.timed(o.Status)
	if o.Stop == nil || e.codec.Anytime {
		return e.codec.Encode(ctx, src, &o, w)
	}
	stoppable, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-o.Stop:
			cancel(ErrStopped)
		case <-ended:
		}
	}()
	err := e.codec.Encode(stoppable, src, &o, w)
	if err != nil && ctx.Err() == nil && context.Cause(stoppable) == ErrStopped {
		return ErrStopped
	}
	return err
}

// Header describes the file that Encode wrote last.
func (e *Encoder) Header() Header { return e.header }

// Sections lists the sections of the file that Encode wrote last.
func (e *Encoder) Sections() []SectionInfo { return e.sections }

// Written returns the size in bytes of the file that Encode wrote last.
func (e *Encoder) Written() int64 { return e.written }
