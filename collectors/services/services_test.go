package services

import (
	"testing"

	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

func TestFixtures(t *testing.T) { fixture.Play(t, Specs()...) }

func BenchmarkFixtures(b *testing.B) { fixture.Bench(b, Specs()...) }
