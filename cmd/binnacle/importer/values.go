package importer

import (
	"fmt"
	"slices"
)

// What a file of unknown form holds is maps, lists and values; these read and write it without a panic.

// put sets a value in maps within maps.
func put(m map[string]any, v any, path ...string) {
	for _, key := range path[:len(path)-1] {
		next, _ := m[key].(map[string]any)
		if next == nil {
			next = map[string]any{}
			m[key] = next
		}
		m = next
	}
	m[path[len(path)-1]] = v
}

// get is what put has set; nil: nothing.
func get(m map[string]any, path ...string) any {
	for _, key := range path[:len(path)-1] {
		m = section(m, key)
	}
	return m[path[len(path)-1]]
}

func section(m map[string]any, key string) map[string]any {
	out, _ := m[key].(map[string]any)
	return out
}

func list(v any) []any { out, _ := v.([]any); return slices.Clone(out) }

// many is a list, or the one value that stands in its place.
func many(v any) []any {
	if v == nil {
		return nil
	}
	if out, ok := v.([]any); ok {
		return slices.Clone(out)
	}
	return []any{v}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func sorted[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
