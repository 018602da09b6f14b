package handlers

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"math"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"wxshop/static"
)

// minGzip is the size from which compressing pays.
const minGzip = 1024

var (
	buffers    = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	jitterSeed = maphash.MakeSeed()
	padding    = strings.Repeat("x", 32)
	stylesheet = []byte(static.AppCSS)
)

// styleZip is the stylesheet, compressed once and well: most of every page of
// the shoppers, always the same. It refers to nothing before it and ends at a
// whole byte, so that it fits into the middle of any stream.
var styleZip = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(stylesheet)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil { // cannot be: a buffer takes everything, and the level is valid
		return nil
	}
	return b.Bytes()
})

// takesGzip reads Accept-Encoding: gzip or *, unless with q=0.
func takesGzip(h http.Header) bool {
	for _, part := range strings.Split(h.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.TrimSpace(name)
		if name != "gzip" && name != "*" {
			continue
		}
		q := strings.ReplaceAll(params, " ", "")
		return !strings.HasPrefix(q, "q=0") || strings.ContainsAny(strings.TrimPrefix(q, "q=0"), "123456789")
	}
	return false
}

// gzipHeader says: deflate, with a comment, of no time and no system (RFC 1952).
const gzipHeader = "\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"

// zip writes p compressed to b; the stylesheet in it goes in as it was
// compressed before. The length is blurred by up to 31 bytes that hang on the
// whole content and on a secret of this process: pages mix what visitors typed
// with what others must not know, and equal prefixes must not show in the
// length (BREACH).
func zip(b *bytes.Buffer, p []byte) error {
	b.WriteString(gzipHeader)
	b.WriteString(padding[:maphash.Bytes(jitterSeed, p)%uint64(len(padding))])
	b.WriteByte(0)
	rest := p
	if head, tail, ok := aroundStyle(p); ok && styleZip() != nil {
		storeBlock(b, head)
		b.Write(styleZip())
		rest = tail
	}
	if err := flate.StatelessDeflate(b, rest, true, nil); err != nil {
		return err
	}
	end := binary.LittleEndian.AppendUint32(b.AvailableBuffer(), crc32.ChecksumIEEE(p))
	b.Write(binary.LittleEndian.AppendUint32(end, uint32(len(p))))
	return nil
}

// aroundStyle is what stands before and after the stylesheet of a page.
func aroundStyle(p []byte) (head, tail []byte, ok bool) {
	const open = "<style>"
	at := bytes.Index(p, []byte(open)) + len(open)
	if at < len(open) || at > math.MaxUint16 {
		return nil, nil, false
	}
	tail, ok = bytes.CutPrefix(p[at:], stylesheet)
	return p[:at], tail, ok
}

// storeBlock writes a block that is not compressed (RFC 1951, 3.2.4). The head
// of a page is short: packing it would cost more time than it saves bytes.
func storeBlock(b *bytes.Buffer, p []byte) {
	n := uint16(len(p))
	block := append(b.AvailableBuffer(), 0)
	block = binary.LittleEndian.AppendUint16(block, n)
	b.Write(binary.LittleEndian.AppendUint16(block, ^n))
	b.Write(p)
}

func getBuffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

// putBuffer gives a buffer back; huge ones go to the garbage collector.
func putBuffer(b *bytes.Buffer) {
	if b.Cap() > 1<<20 {
		return
	}
	b.Reset()
	buffers.Put(b)
}
