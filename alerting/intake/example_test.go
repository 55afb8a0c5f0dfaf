package intake_test

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
)

// A plugin's result ends the alarms of its other exit codes and holds until the next one is due.
func ExampleCheckResult_Inputs() {
	r := intake.CheckResult{Host: "db-1", Service: "disk", Exit: 2, Output: "DISK CRITICAL - 2% left | /var=98%", Fresh: "5m"}
	inputs, err := r.Inputs(time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range inputs {
		switch in := in.(type) {
		case alerting.Firing:
			fmt.Println(in.Alarm.Labels["severity"], in.Alarm.Annotations["summary"])
		case alerting.Ended:
			fmt.Println("ended")
		}
	}
	// Output:
	// ended
	// critical DISK CRITICAL - 2% left
	// ended
}
