// Package packagetest installs the Debian package in a fresh tree of Debian 12 and uses it as an operator does. It holds tests
// alone, which need root, debootstrap and a mirror; `make test` runs them.
package packagetest
