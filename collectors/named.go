package collectors

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// nameForm is what people may name a program or a probe: the name becomes a label.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Named checks sections that people name: the names, and of each what faults says, in order of the names.
func Named[T any](sections map[string]T, faults func(T) []error) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if !nameForm.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: want a name of letters, digits, '_', '-' and '.', at most 64", name))
			continue
		}
		for _, err := range faults(sections[name]) {
			errs = append(errs, fmt.Errorf("%s.%w", name, err))
		}
	}
	return errors.Join(errs...)
}
