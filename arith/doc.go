// Package arith holds the entropy coders. Models stay apart: each coder is told
// the probability of what it codes, or handed a table, and the same coder serves
// every model.
//
// # Which one
//
//	to code                                    use                        cost above entropy
//	bits with an adaptive probability each     BinaryEncoder              < 0.01 %
//	  the simplest model for them              AdaptiveBit
//	symbols of any alphabet, a CDF each,       RangeEncoder, CDF          0.002 % at a total of 1<<16
//	  or adaptive frequencies                  EncodeSpan
//	bytes, one of many static tables each      RANSEncoder, ByteTable     0.1 % for the 12-bit tables
//	many bytes with one table                  EncodeInterleaved          the same, and 256 bytes
//	bytes, with no table at hand               CompressBytes              the same, and the table
//	numbers of a header                        HeaderWriter
//
// The range coders are the most precise and allow a new probability for every
// symbol, but their decoder must wait for each symbol before it starts the next.
// The rANS coders have static tables and encode backwards, so the encoder holds
// the whole message first, and decode several symbols at a time.
// EncodeInterleaved and CompressBytes use AVX2 or AVX-512 where package kernels
// finds them; the bytes are the same everywhere.
//
// Throughput of one core of a 2.7 GHz Sapphire Rapids, 64 KiB of bytes
// of 3.75 bits, klauspost/compress's huff0 and fse in the same run:
//
//	                                 encode    decode
//	BinaryEncoder, AdaptiveBit       150       125       million bits/s
//	RangeEncoder, total 1<<16        245       100       million symbols/s
//	RANSEncoder, 3 lanes, contexts   230       330       million symbols/s
//	CompressBytes, Go                415       690       MB/s
//	CompressBytes, AVX2              960      2110       MB/s
//	CompressBytes, AVX-512          1180      2820       MB/s
//	huff0, 4 streams                 800      1320       MB/s
//	fse                              325       385       MB/s
//
// # Costs
//
// Every model and table says what a symbol costs, in bits, without coding it:
// [BitCost], [CDF.Cost], [ByteTable.Cost]. The sum over a message agrees with its
// coded size but for the few bytes that end a stream.
//
// # Untrusted input
//
// Decoders return wrong symbols for wrong input, never panic, and never read
// outside it. Range coders read zeros past the end and count them; a decoding
// loop should look at Err now and then. The rANS coders check that a message ends
// in the state it began with. Neither replaces a checksum. Tables, lengths and
// counts read from a stream are checked against limits before memory is
// allocated for them.
package arith
