package dataset

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A kind says how a file is read.
type kind uint8

const (
	kindUnknown kind = iota
	kindPicture
	kindIDX
	kindLabels // IDX with fewer than three dimensions
	kindY4M
	kindVideo // by ffmpeg
	kindPDF
	kindPipe  // a file of no size, taken to be a y4m stream
	kindStdin // likewise
	kindSample
)

const gzipMagic = "\x1f\x8b"

// The magics of videos, in which '?' matches any byte. MP4 and its relatives are
// known by their brand.
var videoMagics = []string{
	"\x1a\x45\xdf\xa3",                 // Matroska, WebM
	"RIFF????AVI ",                     // AVI
	"FLV\x01",                          // Flash
	"DKIF\x00\x00",                     // IVF
	"\x30\x26\xb2\x75\x8e\x66\xcf\x11", // ASF, WMV
	"\x00\x00\x01\xba",                 // MPEG program stream
	"\x00\x00\x01\xb3",                 // MPEG video
	"\x06\x0e\x2b\x34\x02\x05\x01\x01", // MXF
	"G" + strings.Repeat(strings.Repeat("?", 187)+"G", 2),     // MPEG transport stream
	"????G" + strings.Repeat(strings.Repeat("?", 191)+"G", 2), // the same with time stamps, M2TS
}

// otherBrands begin the brands of files of the MP4 family that are no videos: still
// pictures and sound.
var otherBrands = []string{"avif", "avis", "heic", "heix", "heim", "heis", "mif1", "msf1", "jp2 ", "jpx ", "jpm ", "crx ", "M4A ", "M4B ", "M4P "}

// videoExtensions belong to videos, of which some have no magic, and mean nothing
// else.
var videoExtensions = []string{
	".3gp", ".264", ".265", ".avi", ".flv", ".h264", ".h265", ".hevc", ".ivf", ".m2v", ".m4v", ".mkv",
	".mov", ".mp4", ".mpeg", ".mpg", ".mxf", ".obu", ".ogv", ".vob", ".webm", ".wmv",
}

// sniff tells the kind of a file from its name and its first bytes.
func sniff(name string, b []byte) kind {
	if bytes.HasPrefix(b, []byte(y4mMagic)) {
		return kindY4M
	}
	if bytes.HasPrefix(b, []byte("%PDF-")) {
		return kindPDF
	}
	for i := range formats {
		f := &formats[i]
		// After the two bytes of Netpbm comes white space or a comment, as
		// opposed to what comes in a text that begins with P1.
		if f.match(b) && (f.name != "pnm" || len(b) > 2 && (isSpace(b[2]) || b[2] == '#')) {
			return kindPicture
		}
	}
	if k := sniffIDX(b); k != kindUnknown {
		return k
	}
	if matchMagic("????ftyp????", b) {
		if slices.Contains(otherBrands, string(b[8:12])) {
			return kindUnknown
		}
		return kindVideo
	}
	for _, magic := range videoMagics {
		if matchMagic(magic, b) {
			return kindVideo
		}
	}
	if slices.Contains(videoExtensions, strings.ToLower(filepath.Ext(name))) {
		return kindVideo
	}
	return kindUnknown
}

func sniffIDX(b []byte) kind {
	switch dims := idxDims(b); {
	case dims == 0:
		return kindUnknown
	case dims < 3:
		return kindLabels
	}
	return kindIDX
}

// sniffFile is sniff for the file at a path.
func sniffFile(path string) (kind, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		if info.IsDir() {
			return 0, &fs.PathError{Op: "read", Path: path, Err: errIsFolder}
		}
		return kindPipe, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 512)
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	b = b[:n]
	if bytes.HasPrefix(b, []byte(gzipMagic)) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		// Of what gzip may hold, only IDX is read.
		var magic [4]byte
		z, err := gzip.NewReader(f)
		if err != nil {
			return kindUnknown, nil
		}
		if _, err := io.ReadFull(z, magic[:]); err != nil {
			return kindUnknown, nil
		}
		return sniffIDX(magic[:]), nil
	}
	return sniff(path, b), nil
}
