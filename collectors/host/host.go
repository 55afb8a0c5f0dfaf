// Package host reads the machine that the agent runs on, or the container: its processors, memory, disks, interfaces,
// clock, units, processes and certificates. It also finds Erlang virtual machines and units for the collectors of
// what runs in them.
//
// It judges nothing. Only this package knows gopsutil, and no type of it is in an exported signature.
package host

import "github.com/navcloud/binnacle/collectors"

// Specs returns the host's collectors for the catalogue.
func Specs() []collectors.Spec {
	return []collectors.Spec{
		bootSpec, clockSpec, cpuSpec, diskSpec, filesSpec, filesystemSpec, loadSpec, memorySpec, networkSpec,
		pressureSpec, processSpec, systemdSpec, tlsSpec,
	}
}
