package sim

import (
	"os"
	"strings"
	"testing"
)

// Every fault that exists is turned on by a test.
func TestEveryFaultIsTried(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, f := range files {
		if name := f.Name(); strings.HasSuffix(name, "_test.go") && name != "fault_list_test.go" {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(text)
		}
	}
	for _, name := range faultOrder {
		if !strings.Contains(tests.String(), `"`+name+`"`) {
			t.Errorf("no test turns %s on", name)
		}
	}
	if len(faultOrder) != len(faultNames) {
		t.Errorf("%d faults in order, %d names", len(faultOrder), len(faultNames))
	}
}
