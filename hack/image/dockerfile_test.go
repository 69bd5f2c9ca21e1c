// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDockerfileAgrees holds the Dockerfile, which no test can run, and the
// manifests against the image that is built here: what one says of how the
// program is called and who runs it, the others say too.
func TestDockerfileAgrees(t *testing.T) {
	product := Product(ProductReference, "", "$VERSION")
	user, group, _ := strings.Cut(product.User, ":")
	wanted := map[string][]string{
		"../../Dockerfile": {
			"USER " + product.User,
			fmt.Sprintf("ENTRYPOINT [%q]", product.Entrypoint[0]),
			"FROM gcr.io/distroless/static:nonroot", // it has the directory /tmp
		},
		"../../manifests/base/deployment.yaml": {
			"runAsUser: " + user,
			"runAsGroup: " + group,
		},
	}
	dockerfile := wanted["../../Dockerfile"]
	for _, f := range product.Files {
		if f.Link != "" {
			dockerfile = append(dockerfile, fmt.Sprintf("ln -s %s /out%s", f.Link, f.Path))
		}
		if f.Source != "" {
			dockerfile = append(dockerfile, "-o /out"+f.Path+" ")
		}
	}
	for key, value := range product.Labels {
		dockerfile = append(dockerfile, key+"="+value)
	}
	wanted["../../Dockerfile"] = dockerfile
	for name, texts := range wanted {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if !strings.Contains(string(b), text) {
				t.Errorf("%s does not have %q", name, text)
			}
		}
	}
}
