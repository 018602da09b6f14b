package handlers

import (
	"bytes"
	"hash/maphash"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// minGzip is the size from which compressing pays.
const minGzip = 1024

var (
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	// fast is for pages that are sent once, good for those that are kept.
	fast = zippers(gzip.BestSpeed)
	good = zippers(gzip.DefaultCompression)

	jitterSeed = maphash.MakeSeed()
	padding    = strings.Repeat("x", 32)
)

// zippers are writers of one level, used again and again: one holds 300 kB.
func zippers(level int) *sync.Pool {
	return &sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, level) // the level is valid
		return z
	}}
}

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

// zip writes p compressed to b. The length is blurred by up to 31 bytes that
// hang on the whole content and on a secret of this process: pages mix what
// visitors typed with what others must not know, and equal prefixes must not
// show in the length (BREACH).
func zip(b *bytes.Buffer, p []byte, pool *sync.Pool) error {
	z := pool.Get().(*gzip.Writer)
	defer pool.Put(z)
	z.Reset(b)
	z.Comment = padding[:maphash.Bytes(jitterSeed, p)%uint64(len(padding))]
	if _, err := z.Write(p); err != nil {
		return err
	}
	return z.Close()
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
