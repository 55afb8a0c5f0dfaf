//go:build !race

package collectorstest_test

const raceEnabled = false
