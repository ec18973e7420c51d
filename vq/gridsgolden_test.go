package vq

// gridsGolden has checksums of what the codes of TestGridsDecodeGolden decode to, and of
// the quantisers as stored.
var gridsGolden = map[string][2]uint32{
	"bsq":        {0xa6b98c0e, 0x5f9e4206},
	"e8p2":       {0xf9088820, 0x38eca5ce},
	"e8p3":       {0xd8f71d91, 0x149565a2},
	"e8p4":       {0x6f55d107, 0xa05ecb7e},
	"fsq":        {0x594fe3e7, 0xa4c748ff},
	"fsqclamp":   {0x1284f252, 0xdfb950d1},
	"glvq":       {0xae16c00e, 0xe344d9af},
	"higgs":      {0x80db1b03, 0xb46e2606},
	"higgse8p":   {0x68204b1f, 0x4b11759c},
	"lfq":        {0xb277a15d, 0x6480ee76},
	"lloydmax":   {0xf8dc9614, 0xf90fe0dd},
	"lvq":        {0x65425fe8, 0xef7b02b4},
	"lvq2":       {0xf4161108, 0xe86332b},
	"normalgrid": {0x45491dd8, 0x8b9b463f},
	"nsn":        {0xb767dd53, 0xdc7a361},
	"rabitq1":    {0x3937036b, 0xacf437b},
	"rabitq5":    {0xc942e9c7, 0x5c0666a3},
	"saq":        {0x967db402, 0x9398bc63},
	"trellis":    {0x5e90329c, 0xb66a2886},
	"trellis3":   {0x5429e09e, 0xf660603e},
	"voronoia2":  {0xe4bb3c18, 0xbb552a9c},
	"voronoid4":  {0x14668d5d, 0xcf3b274b},
	"voronoie8":  {0xcd896413, 0xf61e4ac0},
	"voronoiz":   {0xecefb3ad, 0xd75a3365},
}
