// Package static holds everything of the pages that never changes while the
// program runs: stylesheets, scripts, pictures and the sample goods. Addresses
// carry a hash of the content, so that browsers may keep them for ever.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// Prefix is where the files are served.
const Prefix = "/static/"

// CacheControl is the header for every File (security H10): its address
// changes when its bytes do.
const CacheControl = "public, max-age=31536000, immutable"

//go:embed *.css *.js *.svg
var embedded embed.FS

// AppCSS is the stylesheet of the shopper pages, which carry it whole: one
// request less is 176 ms on a slow phone.
//
//go:embed app.css
var AppCSS string

// Goods is the sample shop (shop, categories, goods with options and SKUs,
// prices in fen) as JSON. It is seed data and not served.
//
//go:embed goods.json
var Goods []byte

// File is one embedded file, ready to be sent.
type File struct {
	Name        string // "pay.js"
	URL         string // "/static/pay.1f0c9a2be4.js"
	ContentType string
	Data        []byte // not to be changed
	Integrity   string // "sha384-…", for the integrity attribute (security H14)

	once sync.Once
	gz   []byte
}

// Gzip is Data compressed as small as gzip can; made once, at first use.
func (f *File) Gzip() []byte {
	f.once.Do(func() {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
		_, _ = w.Write(f.Data)                                // a Buffer takes all
		_ = w.Close()
		f.gz = b.Bytes()
	})
	return f.gz
}

// table finds a file by its name and by its address.
type table struct{ byName, byURL map[string]*File }

var files = load(embedded)

// URL is the address of the file with that name, with the hash of its content.
// A name that is not embedded gives an address that Lookup refuses.
func URL(name string) string {
	if f, ok := files.byName[name]; ok {
		return f.URL
	}
	return Prefix + name
}

// Integrity is the value of the integrity attribute for that file, "" when
// there is no such file.
func Integrity(name string) string {
	if f, ok := files.byName[name]; ok {
		return f.Integrity
	}
	return ""
}

// Lookup finds the file behind the path of a request. Only the address with
// the right hash is known: an old or made-up one must not be cached for ever.
func Lookup(urlPath string) (*File, bool) {
	f, ok := files.byURL[urlPath]
	return f, ok
}

// Names lists the embedded files in alphabetical order.
func Names() []string {
	names, _ := fs.Glob(embedded, "*") // the pattern is valid
	return names
}

func load(fsys fs.FS) table {
	t := table{byName: map[string]*File{}, byURL: map[string]*File{}}
	names, _ := fs.Glob(fsys, "*")
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			panic(err) // the file was embedded a line ago
		}
		if path.Ext(name) == ".js" {
			data = lean(data)
		}
		f := newFile(name, data)
		t.byName[name], t.byURL[f.URL] = f, f
	}
	return t
}

// lean drops what a script has for its readers only: lines of comment, and
// indentation.
func lean(js []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(js) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || bytes.HasPrefix(line, []byte("//")) {
			continue
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func newFile(name string, data []byte) *File {
	short := sha256.Sum256(data)
	long := sha512.Sum384(data)
	ext := path.Ext(name)
	return &File{
		Name:        name,
		URL:         Prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(short[:5]) + ext,
		ContentType: contentTypes[ext],
		Data:        data,
		Integrity:   "sha384-" + base64.StdEncoding.EncodeToString(long[:]),
	}
}

// contentTypes are ours and not the machine's: mime.TypeByExtension reads
// files that differ from host to host (security H11).
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}
