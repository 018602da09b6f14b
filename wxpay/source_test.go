package wxpay

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sources parses every Go file of the module, tests included.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := make(map[string]*ast.File)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))] = f
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func imports(f *ast.File) []string {
	var out []string
	for _, s := range f.Imports {
		out = append(out, strings.Trim(s.Path.Value, `"`))
	}
	return out
}

// P24: MD5 exists where the protocol asks for it and nowhere else. P21: TLS is
// verified everywhere, tests included.
func TestSourceCrypto(t *testing.T) {
	files := sources(t)
	if files["wxpay/sign.go"] == nil {
		t.Fatal("the source was not found")
	}
	for path, f := range files {
		for _, imported := range imports(f) {
			if imported == "crypto/md5" && !strings.HasPrefix(path, "wxpay/") && !strings.HasSuffix(path, "_test.go") {
				t.Errorf("%s imports crypto/md5", path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" {
				t.Errorf("%s speaks of InsecureSkipVerify", path)
			}
			return true
		})
	}
}

// The package could be published as it is: standard library only, and nothing
// of the shop or of the simulator, which is another hand's reading.
func TestSourceImports(t *testing.T) {
	for path, f := range sources(t) {
		if strings.HasSuffix(path, "_test.go") || filepath.ToSlash(filepath.Dir(path)) != "wxpay" {
			continue
		}
		for _, imported := range imports(f) {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") || first == "wxshop" {
				t.Errorf("%s imports %s", path, imported)
			}
			if imported == "encoding/xml" {
				t.Errorf("%s imports encoding/xml, which takes what P4 refuses", path)
			}
		}
	}
}

// P2: nothing can switch verification off, because there is no switch.
func TestSourceNoSwitch(t *testing.T) {
	config := reflect.TypeFor[Config]()
	for i := range config.NumField() {
		if f := config.Field(i); f.Type.Kind() == reflect.Bool {
			t.Errorf("Config.%s is a switch", f.Name)
		}
	}
	seen := 0
	for path, f := range sources(t) {
		if filepath.ToSlash(filepath.Dir(path)) != "wxpay" || strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !verifies(fn.Name.Name) {
				continue
			}
			seen++
			for _, p := range fn.Type.Params.List {
				if id, ok := p.Type.(*ast.Ident); ok && id.Name == "bool" {
					t.Errorf("%s: %s takes a bool", path, fn.Name.Name)
				}
			}
		}
	}
	if seen < 4 {
		t.Errorf("only %d verifying functions found", seen)
	}
}

func verifies(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "verify") || strings.Contains(name, "judge") || strings.Contains(name, "parsenotify")
}
