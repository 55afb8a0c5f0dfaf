package services

import (
	"testing"

	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

func TestFixtures(t *testing.T) { fixture.Play(t, Specs()...) }
