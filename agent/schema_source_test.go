package agent

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// comments are what the source says of the fields of its structs.
type comments struct {
	t  *testing.T
	by map[string]map[string]string // by package, then Type.Field
}

func (c *comments) of(typ reflect.Type, field string) string {
	rel, ours := strings.CutPrefix(typ.PkgPath(), "github.com/navcloud/binnacle/")
	if !ours {
		return ""
	}
	if c.by[rel] == nil {
		c.by[rel] = c.read(filepath.Join("..", rel))
	}
	return c.by[rel][typ.Name()+"."+field]
}

func (c *comments) read(dir string) map[string]string {
	c.t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		c.t.Fatal(dir, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					said := f.Comment.Text()
					if said == "" {
						said = f.Doc.Text()
					}
					for _, name := range f.Names {
						out[spec.Name.Name+"."+name.Name] = tidy(said, name.Name)
					}
				}
			}
			return false
		})
	}
	return out
}

// tidy makes a comment a phrase in a table: without the name of the field at its head, and on one line.
func tidy(text, name string) string {
	text = strings.Join(strings.Fields(text), " ")
	text = strings.TrimSuffix(strings.TrimPrefix(text, name+" "), ".")
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	return text
}

// limits finds in what Validate says the part that names them.
var limits = regexp.MustCompile(`(?:outside|between|is none of|neither|below|above|want) (.+)$`)

var neither = regexp.MustCompile(`^neither (.+) nor (within )?(.+)$`)

// bounds turns what is wrong with a value into what is right.
func bounds(said string) string {
	if m := neither.FindStringSubmatch(said); m != nil {
		or := " or "
		if m[2] != "" {
			or = ", or "
		}
		return m[1] + or + m[3]
	}
	for wrong, right := range map[string]string{"outside ": "", "want ": "", "is none of ": "", "below ": "at least ", "above ": "at most "} {
		if rest, ok := strings.CutPrefix(said, wrong); ok {
			return right + rest
		}
	}
	return said
}

// boundsOf asks Validate about values that no setting takes, in a copy of the struct v.
func boundsOf(v reflect.Value, field int, key string) string {
	var wild []any
	switch k := v.Field(field).Kind(); {
	case v.Field(field).Type() == secretType:
	case k == reflect.Int64 || k == reflect.Int:
		wild = []any{int64(math.MinInt64 / 2), int64(math.MaxInt64 / 2)}
	case k == reflect.Float64:
		wild = []any{-1e300, 1e300}
	case k == reflect.String:
		wild = []any{"\x01"}
	}
	for _, w := range wild {
		c := reflect.New(v.Type())
		c.Elem().Set(v)
		f := c.Elem().Field(field)
		if !f.CanSet() {
			return ""
		}
		f.Set(reflect.ValueOf(w).Convert(f.Type()))
		check, ok := c.Interface().(interface{ Validate() error })
		if !ok {
			return ""
		}
		err := check.Validate()
		if err == nil {
			continue
		}
		for line := range strings.Lines(err.Error()) {
			rest, ok := strings.CutPrefix(strings.TrimSpace(line), key+":")
			if m := limits.FindStringSubmatch(rest); ok && m != nil {
				said, _, _ := strings.Cut(m[0], ", have ")
				said = strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(said)
				return bounds(said)
			}
		}
	}
	return ""
}
