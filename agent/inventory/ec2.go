package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Instance is what an EC2 instance knows of itself. Group and Stack are empty where its tags are not in its metadata,
// which is the default.
type Instance struct{ ID, Type, Region, AZ, Group, Stack string }

// askBudget bounds all questions together: the service answers in milliseconds, or there is none.
const askBudget = 2 * time.Second

// maxTag bounds one answer, in bytes: the values of tags have 256 characters at most.
// Source: AWS, "Tag your Amazon EC2 resources", read November 2026.
const maxTag = 4 << 10

// OnEC2 says whether the machine below root ("/" in production) is an EC2 instance, by what its firmware says: nobody is
// asked over the network to find out.
// Source: AWS, "Detect whether a host is an EC2 instance": the vendor on Nitro, the UUID on Xen; read November 2026.
func OnEC2(root string) bool {
	for path, want := range map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2", "sys/hypervisor/uuid": "ec2"} {
		b, err := os.ReadFile(filepath.Join(root, path))
		if err == nil && strings.HasPrefix(strings.TrimSpace(string(b)), want) {
			return true
		}
	}
	return false
}

// Ask asks the instance's metadata service (IMDSv2 only) at endpoint, its usual address when empty. The error is that of
// who am I; tags that are not there are no error.
func Ask(ctx context.Context, endpoint string, transport http.RoundTripper) (Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, askBudget)
	defer cancel()
	o := imds.Options{Endpoint: endpoint, EnableFallback: aws.FalseTernary, Retryer: retry.AddWithMaxAttempts(retry.NewStandard(), 1)}
	if transport != nil {
		o.HTTPClient = &http.Client{Transport: transport}
	}
	c := imds.New(o)
	doc, err := c.GetInstanceIdentityDocument(ctx, nil)
	if err != nil {
		return Instance{}, fmt.Errorf("instance metadata: %w", err)
	}
	i := Instance{ID: doc.InstanceID, Type: doc.InstanceType, Region: doc.Region, AZ: doc.AvailabilityZone}
	for tag, into := range map[string]*string{"aws:autoscaling:groupName": &i.Group, "aws:cloudformation:stack-name": &i.Stack} {
		if *into, err = tagOf(ctx, c, tag); err != nil {
			return i, fmt.Errorf("instance metadata: tag %s: %w", tag, err)
		}
	}
	return i, nil
}

func tagOf(ctx context.Context, c *imds.Client, name string) (string, error) {
	return read(ctx, c, "tags/instance/"+name, maxTag)
}

// read asks for one text of at most so many bytes; one that is not there is empty.
func read(ctx context.Context, c *imds.Client, path string, most int64) (string, error) {
	out, err := c.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) && re.HTTPStatusCode() == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Content.Close() }()
	b, err := io.ReadAll(io.LimitReader(out.Content, most))
	return strings.TrimSpace(string(b)), err
}
