package door

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// checkHashes says, with their places, which logins have something else than a bcrypt hash: a password in plain lets nobody
// in, and the toolkit's own error names neither login nor line.
func checkHashes(path string, text []byte) error {
	var file struct {
		Users map[string]yaml.Node `yaml:"basic_auth_users"`
	}
	if yaml.Unmarshal(text, &file) != nil {
		return nil // which the toolkit says
	}
	var errs []error
	for name, n := range file.Users {
		if _, err := bcrypt.Cost([]byte(n.Value)); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d:%d: basic_auth_users.%s: want a bcrypt hash of the password, as `htpasswd -nBC 10 %[4]s` prints it", path, n.Line, n.Column, name))
		}
	}
	return errors.Join(errs...)
}
