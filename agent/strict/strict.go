// Package strict decodes YAML into plain structs and tells every fault at once, each with its
// file, line and column and, for a name that is nearly right, what was probably meant.
//
// It knows no section of any configuration: structs say with yaml tags what may stand there, and
// with Validate() error what values are good. Defaults are what the struct holds before decoding.
package strict

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds one file of configuration, in bytes.
const maxFile = 4 << 20

// Fault is one thing that is wrong, and where.
type Fault struct {
	File         string
	Line, Column int
	Text         string
}

func (f Fault) Error() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Text)
}

// Faults are all that is wrong, in order of file and place.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Sort puts them in order of file and place.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Document is a parsed tree of which each node knows its file.
type Document struct {
	// Notes say what stands in conf.d and was not read, a sentence each.
	Notes []string

	root  *yaml.Node
	first string
}

// fileOf is the file that a node is from. It stands in the place of the node's comments, which nothing reads, so that a copy of a node
// knows it too, and that to ask for a part of a document changes nothing.
func fileOf(n *yaml.Node) string { return n.FootComment }

// Load reads path and, where there is one, the files conf.d/*.yaml beside it, and joins their
// sections; a value that two files set is a fault that names both places. Files whose names begin with a dot are left out:
// editors and archives leave such.
func Load(path string) (*Document, error) {
	d := &Document{first: path}
	files, err := d.files(path)
	if err != nil {
		return nil, err
	}
	var faults Faults
	for _, p := range files {
		b, err := readFile(p)
		if err != nil {
			return nil, err
		}
		faults = append(faults, d.add(p, b)...)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return d, nil
}

// Files are the files that Load reads for path, in its order.
func Files(path string) ([]string, error) { return new(Document).files(path) }

func (d *Document) files(path string) ([]string, error) {
	more, err := d.fragments(filepath.Join(filepath.Dir(path), "conf.d"))
	if err != nil {
		return nil, err
	}
	return append([]string{path}, more...), nil
}

// fragments lists the files of conf.d in order, and notes what is there and no fragment.
func (d *Document) fragments(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("conf.d: %w", err)
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			d.Notes = append(d.Notes, path+" is not read: it is a folder")
		case filepath.Ext(path) != ".yaml":
			d.Notes = append(d.Notes, path+" is not read: its name does not end in .yaml")
		default:
			out = append(out, path)
		}
	}
	return out, nil
}

// Parse is Load for one text that stands under the name file.
func Parse(file string, text []byte) (*Document, error) {
	d := &Document{first: file}
	if faults := d.add(file, text); len(faults) > 0 {
		return nil, faults
	}
	return d, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("configuration: %s is larger than %d bytes", path, maxFile)
	}
	return b, nil
}

func (d *Document) add(file string, text []byte) Faults {
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var n yaml.Node
	if err := dec.Decode(&n); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // an empty file means the defaults
		}
		return Faults{syntaxFault(file, err)}
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		return Faults{{File: file, Text: "want one YAML document, have more"}}
	}
	root := n.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	if f := d.adopt(root, file, 0); f != nil {
		return Faults{*f}
	}
	if root.Kind != yaml.MappingNode {
		return Faults{d.fault(root, "want sections such as \"collect:\", have %s", kindName(root))}
	}
	if d.root == nil {
		d.root = root
		return nil
	}
	return d.join(d.root, root, "")
}

// syntaxFault takes the line out of the library's text, "yaml: line 3: ...".
func syntaxFault(file string, err error) Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if _, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
		return Fault{file, line, 1, text}
	}
	return Fault{File: file, Text: text}
}

// adopt notes the file of every node. Aliases and deep nesting have no place in a configuration, and
// refusing them keeps a small file from becoming a large tree.
func (d *Document) adopt(n *yaml.Node, from string, depth int) *Fault {
	n.FootComment = from
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		f := d.fault(n, "anchors and aliases are not supported")
		return &f
	}
	if depth > 32 {
		f := d.fault(n, "nested deeper than 32")
		return &f
	}
	for _, c := range n.Content {
		if f := d.adopt(c, from, depth+1); f != nil {
			return f
		}
	}
	return nil
}

func (d *Document) join(into, from *yaml.Node, path string) Faults {
	var faults Faults
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, val := from.Content[i], from.Content[i+1]
		have := child(into, key.Value)
		switch {
		case have == nil:
			into.Content = append(into.Content, key, val)
		case have.Kind == yaml.MappingNode && val.Kind == yaml.MappingNode:
			faults = append(faults, d.join(have, val, dotted(path, key.Value))...)
		default:
			faults = append(faults, d.fault(key, "%s is already set at %s:%d", dotted(path, key.Value), fileOf(have), have.Line))
		}
	}
	return faults
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Fault makes a fault at the place of a setting by its dotted path, or of the section that is nearest to it.
func (d *Document) Fault(path, format string, args ...any) Fault {
	at, text := d.root, path+": "+fmt.Sprintf(format, args...)
	for key := range strings.SplitSeq(path, ".") {
		c := child(at, key)
		if c == nil {
			break
		}
		at = c
	}
	if at == nil {
		return Fault{File: d.first, Text: text}
	}
	return d.fault(at, "%s", text)
}

func dotted(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *Document) fault(n *yaml.Node, format string, args ...any) Fault {
	return Fault{fileOf(n), n.Line, n.Column, fmt.Sprintf(format, args...)}
}
