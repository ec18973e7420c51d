package codec

import "errors"

// A FormatError reports that the input is not a valid burin file.
type FormatError string

func (e FormatError) Error() string { return "burin: invalid format: " + string(e) }

// An UnsupportedError reports a valid request or file that this build, or the
// codec asked for, cannot serve.
type UnsupportedError string

func (e UnsupportedError) Error() string { return "burin: unsupported: " + string(e) }

// An OptionError reports an option outside its range.
type OptionError string

func (e OptionError) Error() string { return "burin: invalid option: " + string(e) }

var (
	// ErrTooLarge reports that a picture or a file exceeds a limit.
	ErrTooLarge = errors.New("burin: exceeds a limit")

	// ErrModelMismatch reports that a file was coded with other trained weights
	// than the ones at hand.
	ErrModelMismatch = errors.New("burin: file was coded with another trained model")

	// ErrStopped reports that Options.Stop ended a codec that has no file before
	// its end.
	ErrStopped = errors.New("burin: stopped before there was a file")

	// ErrChecksum reports that a CRC-32C does not match: the file is damaged.
	ErrChecksum = errors.New("burin: checksum mismatch")
)
