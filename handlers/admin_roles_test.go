package handlers

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"wxshop/models"
)

var updateRoles = flag.Bool("update-roles", false, "write testdata/admin_roles.txt anew")

// A8: every route under /admin is one of adminTable and says who may use it.
func TestAdminRoutesDeclareARole(t *testing.T) {
	w := newWorld(t)
	declared := map[string]rank{}
	for _, x := range w.srv.adminTable() {
		declared[x.method+" "+x.path] = x.least
		if x.method == http.MethodGet {
			declared["HEAD "+x.path] = x.least
		}
	}
	for _, r := range w.srv.engine.Routes() {
		if isAdmin(r.Path) && declared[r.Method+" "+r.Path] == undeclared {
			t.Errorf("%s %s declares no role", r.Method, r.Path)
		}
	}
}

// A8: a route that forgot to declare opens for nobody.
func TestAdminUndeclaredRoute(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	w.srv.engine.GET("/admin/forgotten", w.srv.adminPage(adminRoute{path: "/admin/forgotten", handle: func(c *ginContext, d *duty) error {
		t.Error("the handler ran")
		return nil
	}}))
	if res := w.outside().enters("owner").do("GET", "/admin/forgotten", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("owner = %d, want 403", res.StatusCode)
	}
	w.hire("odd", "a role of tomorrow")
	if res := w.outside().enters("odd").do("GET", "/admin", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("an unknown role = %d, want 403", res.StatusCode)
	}
}

// A8: who may do what, as a table that people read. Forms are empty, so 422
// means "let in".
func TestAdminRoleMatrix(t *testing.T) {
	w := newWorld(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	people := map[string]*client{"nobody": w.outside()}
	for _, role := range []string{"viewer", "staff", "owner"} {
		w.hire(role, role)
		people[role] = w.outside().enters(role)
	}
	w.hireWith(models.Staff{Name: "new", Role: "owner", MustChange: true})
	people["new owner"] = w.outside().enters("new")
	var b strings.Builder
	sale := "261119K7M3QX9T4HRV7056" // of nobody: 404 means "let in"
	columns := []string{"nobody", "viewer", "staff", "owner", "new owner"}
	fmt.Fprintf(&b, "%-38s %s\n", "", strings.Join(columns, "  "))
	for _, x := range w.srv.adminTable() {
		if strings.HasSuffix(x.path, "/signout") {
			continue // it would end the matrix; see TestAdminSignOut
		}
		path := strings.NewReplacer("cashdesk/:no", "cashdesk/"+sale, ":day", "2026-11-19", ":no", no, ":id", "1").Replace(x.path)
		fmt.Fprintf(&b, "%-38s", x.method+" "+x.path)
		for _, who := range columns {
			var form url.Values
			if x.method == http.MethodPost {
				form = url.Values{}
			}
			res := people[who].twin().do(x.method, path, form)
			fmt.Fprintf(&b, " %*d", len(who)+1, res.StatusCode)
		}
		b.WriteString("\n")
	}
	golden(t, "testdata/admin_roles.txt", b.String(), *updateRoles)
}

func golden(t *testing.T, file, got string, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs, got\n%s", file, got)
	}
}

// X26, A11: another site's form does nothing, not even at the door.
func TestAdminCrossSite(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	no := w.inside("1").signIn().buy("LJ-50g")
	c := w.outside().enters("owner")
	before := w.dump()
	for _, x := range w.srv.adminTable() {
		if x.method != http.MethodPost {
			continue
		}
		path := strings.NewReplacer(":no", no, ":id", "1", ":day", "2026-11-19").Replace(x.path)
		for name, header := range map[string]http.Header{
			"cross-site": {"Sec-Fetch-Site": {"cross-site"}},
			"same-site":  {"Sec-Fetch-Site": {"same-site"}},
			"origin":     {"Origin": {"https://evil"}},
			"null":       {"Origin": {"null"}},
			"other port": {"Origin": {"http://localhost:8081"}},
		} {
			twin := c.twin()
			twin.header = header
			form := url.Values{"note": {"x"}, "user": {"owner"}, "password": {adminPassword}}
			if res := twin.do("POST", path, form); res.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s with %s = %d, want 403", path, name, res.StatusCode)
			}
		}
	}
	unchanged(t, before, w.dump(), "sessions")
}

// P10: reading changes nothing, for whoever reads.
func TestAdminReadingChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	c := w.outside().enters("owner")
	before := w.dump()
	for range 2 {
		for _, x := range w.srv.adminTable() {
			if x.method == http.MethodGet {
				c.do("GET", strings.Replace(x.path, ":no", no, 1), nil)
			}
		}
	}
	unchanged(t, before, w.dump(), "sessions")
}

// I4, I6, X36: odd addresses and forms are refused, not guessed at.
func TestAdminOddRequests(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	c := w.outside().enters("owner")
	for _, test := range []struct {
		method, path string
		form         url.Values
		want         []int
	}{
		{"GET", "/admin/orders?state=everything", nil, []int{400}},
		{"GET", "/admin/orders?q=" + strings.Repeat("x", 65), nil, []int{400}},
		{"GET", "/admin/orders?q=%00", nil, []int{400}},
		{"GET", "/admin/orders?q=%ff", nil, []int{400}},
		{"GET", "/admin/orders?q=a&q=b", nil, []int{400}},
		{"GET", "/admin/orders?at=-1", nil, []int{400}},
		{"GET", "/admin/orders?at=9223372036854775808", nil, []int{400}},
		{"GET", "/admin/orders?at=" + strings.Repeat("1.", 300) + "1", nil, []int{400}},
		{"GET", "/admin/check?before=x", nil, []int{400}},
		{"GET", "/admin/orders/x", nil, []int{404}},
		{"GET", "/admin/orders/..%2f..%2fadmin", nil, []int{404}},
		{"GET", "/admin/orders/261119K7M3QX9T4HRV7056", nil, []int{404}},
		{"GET", "/admin/nothing", nil, []int{404}},
		{"POST", "/admin/orders/261119K7M3QX9T4HRV7056/note", url.Values{"note": {"x"}}, []int{404}},
		{"POST", "/admin/orders/261119K7M3QX9T4HRV7056/note", url.Values{"note": {"x"}, "state": {"paid"}}, []int{400}},
		{"POST", "/admin/check/0/explain", url.Values{"note": {"x"}}, []int{404}},
		{"POST", "/admin/check/77/explain", url.Values{"note": {"x"}}, []int{404}},
		{"PUT", "/admin/orders", url.Values{}, []int{405}},
	} {
		res := c.do(test.method, test.path, test.form)
		if !slices.Contains(test.want, res.StatusCode) {
			t.Errorf("%s %.60s = %d, want %v", test.method, test.path, res.StatusCode, test.want)
		}
		if !strings.Contains(res.body, "/static/admin.") {
			t.Errorf("%s %.60s answers with a page of the shop", test.method, test.path)
		}
	}
}
