package codec

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
)

// A Decoder reads one burin file.
type Decoder struct {
	o        *DecodeOptions
	header   *Header
	metadata *Metadata
	r        *SectionReader
	used     bool
}

// errUsed reports a second call on a Decoder.
var errUsed = errors.New("burin: the file has been read")

// NewDecoder reads the header and the metadata of a file and checks them
// against the limits. A nil o means [DefaultDecodeOptions]. The codec of the
// file need not be registered.
//
// It reads r through a buffer, and so beyond the end of the file, unless r is
// an io.ByteReader.
func NewDecoder(r io.Reader, o *DecodeOptions) (*Decoder, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	s := &sumReader{r: newByteReader(r)}
	h, err := s.header()
	if err != nil {
		return nil, err
	}
	if err := h.checkLimits(&o.Limits); err != nil {
		return nil, err
	}
	d := &Decoder{o: o, header: h, r: &SectionReader{s: s, limit: o.Limits.MaxBytes, conceal: o.Conceal}}
	if d.metadata, err = readMetadata(d.r); err != nil {
		return nil, err
	}
	return d, nil
}

// Header describes the picture.
func (d *Decoder) Header() Header { return *d.header }

// Metadata returns what is stored beside the picture. It is never nil.
func (d *Decoder) Metadata() *Metadata { return d.metadata }

// Decode decodes the picture, which has the bounds of the header. It returns
// soon after ctx is done, with the error of ctx. A Decoder decodes once.
func (d *Decoder) Decode(ctx context.Context) (image.Image, error) {
	if d.used {
		return nil, errUsed
	}
	d.used = true
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := codecByID(d.header.CodecID)
	if c == nil {
		return nil, UnsupportedError(fmt.Sprintf("codec %d is not registered", d.header.CodecID))
	}
	if d.header.CodecVersion > c.Version {
		return nil, UnsupportedError(fmt.Sprintf("version %d of codec %q, newer than %d", d.header.CodecVersion, c.Name, c.Version))
	}
	dst, err := NewSink(d.header)
	if err != nil {
		return nil, err
	}
	d.r.known = c.Sections
	d.o.Progress(0)
	if err := c.Decode(ctx, d.header, d.r, d.o, dst); err != nil {
		return nil, err
	}
	switch kind, _, err := d.r.Next(); {
	case err == nil:
		return nil, FormatError(fmt.Sprintf("section %q after the picture", kind))
	case err != io.EOF:
		return nil, err
	}
	if err := dst.complete(); err != nil {
		return nil, err
	}
	d.o.Progress(1)
	return dst.Image(), nil
}

// Scan reads the file to its end in place of Decode and checks it as far as the
// container goes: the framing and the checksums of all sections, whether their
// kinds are known or not.
func (d *Decoder) Scan(ctx context.Context) error {
	if d.used {
		return errUsed
	}
	d.used = true
	return d.r.drain(ctx)
}

// Sections lists the sections read so far: all of the file's after Decode or
// Scan.
func (d *Decoder) Sections() []SectionInfo { return d.r.sections }

// Size returns how many bytes of the file have been read so far.
func (d *Decoder) Size() int64 { return d.r.s.n }
