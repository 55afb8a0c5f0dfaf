// Command kumo runs the AWS emulator of that name for tests: SQS, SNS, EventBridge, CloudWatch's alarms and CloudFormation by
// somebody who never read our code. It listens on KUMO_HOST and KUMO_PORT, where its own parts find each other too, and ends with
// its standard input. It is built with -modfile=.ci/dev.mod -tags=kumo: nothing of it is in go.mod, and without the tag there is
// nothing to build.
package main
