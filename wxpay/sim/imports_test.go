package sim

import (
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Two hands, two codes: the simulator and the client of WeChat Pay import
// nothing of each other, and the simulator nothing of the shop.
func TestSimAndClientShareNothing(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		files++
		inSim := strings.HasPrefix(filepath.ToSlash(path), "../sim/")
		f, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name := strings.Trim(imp.Path.Value, `"`)
			ofSim := strings.HasPrefix(name, "wxshop/wxpay/sim")
			if inSim && strings.HasPrefix(name, "wxshop") && !ofSim {
				t.Errorf("%s imports %s", path, name)
			}
			if !inSim && ofSim && !strings.HasSuffix(path, "_test.go") {
				t.Errorf("%s imports %s", path, name)
			}
			if inSim && !ofSim && strings.Contains(name, ".") && !strings.HasSuffix(path, "_test.go") &&
				!strings.HasPrefix(name, "github.com/a-h/templ") && !strings.HasPrefix(name, "github.com/boombuler/barcode") {
				t.Errorf("%s imports %s; the simulator uses the standard library, templ and barcode", path, name)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files read, %v", files, err)
	}
}
