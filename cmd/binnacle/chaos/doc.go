// Package chaos breaks a running agent, and sees that it pages all the same: kills, damaged files, full disks, descriptors that
// run out, names that do not resolve.
//
// It is tests alone, of the program as it is built. They run where BINNACLE_CHAOS is "short" (make test) or "long" (make
// chaos); the rest of the suite is in the packages whose promises it tests. docs/reliability.md lists both.
package chaos
