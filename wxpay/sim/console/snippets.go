package console

import "strings"

// snippets fetch the identity in the languages that shops are written in.
var snippets = []struct{ language, code string }{
	{"Go", `res, err := http.Get("GATEWAY/_sim/api/identity")
if err != nil { log.Fatal(err) }
defer res.Body.Close()
var id map[string]any
err = json.NewDecoder(res.Body).Decode(&id)`},
	{"Node", `const id = await (await fetch(
  'GATEWAY/_sim/api/identity')).json()`},
	{"PHP", `$id = json_decode(file_get_contents(
  'GATEWAY/_sim/api/identity'), true);`},
	{"Java", `String id = HttpClient.newHttpClient().send(
  HttpRequest.newBuilder(URI.create(
    "GATEWAY/_sim/api/identity")).build(),
  HttpResponse.BodyHandlers.ofString()).body();`},
	{"Python", `import json, urllib.request
id = json.load(urllib.request.urlopen(
    "GATEWAY/_sim/api/identity"))`},
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
