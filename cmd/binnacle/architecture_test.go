package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitectureNamesEachPackage holds the map: who looks for a package finds what it is for. Packages of tests are said to be such.
func TestArchitectureNamesEachPackage(t *testing.T) {
	text := architecture(t)
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if tests := strings.Contains(name, "test"); !tests && !strings.Contains(text, "`"+name+"`") {
			t.Errorf("ARCHITECTURE.md does not say what %s is for", name)
		}
	}
}

// TestDecisionsAreWhereArchitectureSays holds the table "Where is this decided?": each file declares what it is said to.
func TestDecisionsAreWhereArchitectureSays(t *testing.T) {
	places := regexp.MustCompile("`([a-z/]+\\.go)`: ((?:`[A-Za-z.]+`(?:, )?)+)").FindAllStringSubmatch(architecture(t), -1)
	if len(places) < 30 {
		t.Fatalf("%d places in the table, want at least 30: has its form changed?", len(places))
	}
	for _, p := range places {
		declared := declarations(t, filepath.Join("..", "..", p[1]))
		for _, name := range strings.Split(strings.ReplaceAll(p[2], "`", ""), ", ") {
			if !declared[name] {
				t.Errorf("%s does not declare %s", p[1], name)
			}
		}
	}
}

func architecture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// declarations are the names that a file declares; a method has that of its type in front.
func declarations(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	out := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			out[receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok {
					for _, n := range v.Names {
						out[n.Name] = true
					}
				}
			}
		}
	}
	return out
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if p, ok := of.(*ast.StarExpr); ok {
		of = p.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
