package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house, as tests over the source.

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-tags", "nomsgpack", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var ps []pkg
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return ps
		}
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// mayImport is who may import whom of our own packages; main may all.
var mayImport = map[string][]string{
	"wxshop/models":            nil,
	"wxshop/models/modelstest": nil, // for tests
	"wxshop/wxpay":             nil,
	"wxshop/wxpay/contract":    nil, // only tests
	"wxshop/static":            nil,
	"wxshop/checkout":          {"wxshop/models", "wxshop/wxpay"},
	"wxshop/views":             {"wxshop/models", "wxshop/static"},
	"wxshop/handlers":          {"wxshop/checkout", "wxshop/models", "wxshop/wxpay", "wxshop/views", "wxshop/static"},
	"wxshop/wxpay/sim":         {"wxshop/wxpay/sim/browser", "wxshop/wxpay/sim/console"},
	"wxshop/wxpay/sim/browser": nil,
	"wxshop/wxpay/sim/console": nil,
}

// only lists modules and packages that have one home.
var only = map[string][]string{
	"github.com/gin-gonic/gin":     {"wxshop", "wxshop/handlers"},
	"gorm.io/gorm":                 {"wxshop/models"},
	"github.com/glebarez/sqlite":   {"wxshop/models"},
	"database/sql":                 {"wxshop/models", "wxshop/models/modelstest"},
	"crypto/md5":                   {"wxshop/wxpay", "wxshop/wxpay/sim"}, // P24: the protocol fixes it
	"crypto/tls":                   {"wxshop", "wxshop/wxpay", "wxshop/wxpay/sim", "wxshop/handlers"},
	"github.com/gorilla/sessions":  {"wxshop/handlers"},
	"github.com/chromedp/chromedp": {},
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		allowed, known := mayImport[p.ImportPath]
		if !known && p.ImportPath != "wxshop" {
			t.Errorf("package %s has no line in mayImport: who may it import?", p.ImportPath)
		}
		for _, i := range p.Imports {
			if strings.HasPrefix(i, "wxshop") && p.ImportPath != "wxshop" && !slices.Contains(allowed, i) {
				t.Errorf("%s imports %s: the arrow points the wrong way", p.ImportPath, i)
			}
			if homes, ok := only[i]; ok && !slices.Contains(homes, p.ImportPath) {
				t.Errorf("%s imports %s, which belongs to %v", p.ImportPath, i, homes)
			}
			if i == "net/http" && slices.Contains([]string{"wxshop/models", "wxshop/views"}, p.ImportPath) {
				t.Errorf("%s imports net/http", p.ImportPath)
			}
		}
		if strings.HasPrefix(p.ImportPath, "wxshop/wxpay/sim") || p.ImportPath == "wxshop/wxpay" {
			for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				if i == "wxshop/wxpay" && p.ImportPath != "wxshop/wxpay" || p.ImportPath == "wxshop/wxpay" && strings.HasPrefix(i, "wxshop/wxpay/sim") {
					t.Errorf("%s and %s share code: client and simulator are two hands", p.ImportPath, i)
				}
			}
		}
	}
}

// sources are our Go files by path, parsed; generated and test files left out.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	fset := token.NewFileSet()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "data" || d.Name() == "interop") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_templ.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		files[path] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// stateWrite finds SQL that writes a state column.
var stateWrite = regexp.MustCompile(`(?is)\b(UPDATE|INSERT)\b.*\bstate\b`)

// No handler, loop or command writes a state: outside models there is no SQL
// at all, and nothing assigns to a field State of an order or payment.
func TestStatesAreWrittenInModelsOnly(t *testing.T) {
	for path, f := range sources(t) {
		if strings.HasPrefix(path, "models") || strings.HasPrefix(path, "wxpay") {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && stateWrite.MatchString(s) {
					t.Errorf("%s has SQL that writes a state: %q", path, s)
				}
			case *ast.AssignStmt:
				for _, l := range n.Lhs {
					if sel, ok := l.(*ast.SelectorExpr); ok && sel.Sel.Name == "State" && strings.HasPrefix(path, "checkout") {
						t.Errorf("%s assigns to a State", path)
					}
				}
			}
			return true
		})
	}
}

// P10: the success acknowledgement of a notification is written in one place:
// after Settle came back without an error.
func TestOneAccept(t *testing.T) {
	n := 0
	for path, f := range sources(t) {
		if strings.HasPrefix(path, "wxpay") {
			continue
		}
		ast.Inspect(f, func(x ast.Node) bool {
			if c, ok := x.(*ast.CallExpr); ok {
				if sel, ok := c.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Accept" && len(c.Args) == 0 {
					n++
					if path != filepath.Join("checkout", "settle.go") {
						t.Errorf("%s acknowledges a notification", path)
					}
				}
			}
			return true
		})
	}
	if n != 1 {
		t.Errorf("%d places acknowledge, want 1 (P26)", n)
	}
}

// P21 and the house rules that a search can check.
func TestForbiddenWords(t *testing.T) {
	words := []struct{ word, why, except string }{
		{"InsecureSkipVerify", "TLS is always verified (P21)", ""},
		{"templ.Raw", "nothing goes into a page unescaped (A14)", ""},
		{"float64", "money is whole fen; rates and seconds are allowed where listed", "handlers/limit.go handlers/server.go handlers/metrics.go ops.go wxpay/sim checkout/status.go metrics.go drift.go"},
		{"context.TODO", "a context is handed down", ""},
	}
	for path, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			name := ""
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					name = x.Name + "." + n.Sel.Name
				}
			case *ast.Ident:
				name = n.Name
			}
			for _, w := range words {
				if name != "" && name == w.word {
					excused := false
					for _, e := range strings.Fields(w.except) {
						excused = excused || strings.HasPrefix(path, e)
					}
					if !excused {
						t.Errorf("%s uses %s: %s", path, w.word, w.why)
					}
				}
			}
			return true
		})
	}
}

// init functions and mutable globals hide what depends on what.
func TestNoInit(t *testing.T) {
	for path, f := range sources(t) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s has an init function", path)
			}
		}
	}
}
