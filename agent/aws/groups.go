package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// GroupsEvery is how often Auto Scaling's groups are read.
const GroupsEvery = time.Minute

const (
	groupsAPage = 100
	groupsLimit = 30 * time.Second
	maxGroups   = 2000
)

// Group is an Auto Scaling group.
type Group struct {
	Name, Stack       string
	Min, Max, Desired int
	Members           []Member
}

// Member is an instance of a group.
type Member struct {
	ID, AZ, Type string
	Lifecycle    string // Pending, InService, Terminating:Wait and so on
	Healthy      bool
}

// stackTag is on every group that a CloudFormation stack made.
const stackTag = "aws:cloudformation:stack-name"

// Groups are all groups of the account and region. It asks all pages or errs: half a list is no list.
func (a *Account) Groups(ctx context.Context) ([]Group, error) {
	ctx, cancel := context.WithTimeout(ctx, groupsLimit)
	defer cancel()
	var out []Group
	in := &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(groupsAPage)}
	for len(out) < maxGroups {
		page, err := a.groups.DescribeAutoScalingGroups(ctx, in)
		if err != nil {
			return nil, wrap("autoscaling:DescribeAutoScalingGroups", err)
		}
		for _, g := range page.AutoScalingGroups {
			one := Group{
				Name: aws.ToString(g.AutoScalingGroupName), Min: int(aws.ToInt32(g.MinSize)), Max: int(aws.ToInt32(g.MaxSize)), Desired: int(aws.ToInt32(g.DesiredCapacity)),
			}
			for _, t := range g.Tags {
				if aws.ToString(t.Key) == stackTag {
					one.Stack = aws.ToString(t.Value)
				}
			}
			for _, i := range g.Instances {
				one.Members = append(one.Members, Member{
					ID: aws.ToString(i.InstanceId), AZ: aws.ToString(i.AvailabilityZone), Type: aws.ToString(i.InstanceType),
					Lifecycle: string(i.LifecycleState), Healthy: aws.ToString(i.HealthStatus) != "Unhealthy",
				})
			}
			out = append(out, one)
		}
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	return out, nil
}
