package collectors_test

import (
	"testing"

	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

func TestFixtures(t *testing.T) { fixture.Play(t, collectors.Self) }
