// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// member is one entry of a tar, with its content.
type member struct {
	*tar.Header
	content []byte
}

// readTar returns the entries of a tar by name, and the names in their order.
func readTar(t *testing.T, b []byte) (members map[string]member, names []string) {
	t.Helper()
	members = make(map[string]member)
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		hdr, err := r.Next()
		if errors.Is(err, io.EOF) {
			return members, names
		}
		if err != nil {
			t.Fatalf("read the tar: %v", err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("read %s: %v", hdr.Name, err)
		}
		if _, ok := members[hdr.Name]; ok {
			t.Errorf("%s is there twice", hdr.Name)
		}
		members[hdr.Name] = member{Header: hdr, content: content}
		names = append(names, hdr.Name)
	}
}

// fakeBinary writes a file as a build would, and returns its path.
func fakeBinary(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestProductArchive(t *testing.T) {
	binary := fakeBinary(t, "the program")
	var out bytes.Buffer
	if err := Write(&out, Product("example:v1", binary, "v1.2.3")); err != nil {
		t.Fatal(err)
	}
	archive, _ := readTar(t, out.Bytes())

	var manifest []manifestEntry
	if err := json.Unmarshal(archive["manifest.json"].content, &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || !slices.Equal(manifest[0].RepoTags, []string{"example:v1"}) {
		t.Fatalf("manifest is %+v, want one image example:v1", manifest)
	}

	rawConfig := archive[manifest[0].Config].content
	if got := strings.TrimSuffix(manifest[0].Config, ".json"); got != sum(rawConfig) {
		t.Errorf("the configuration is named %s, its digest is %s", got, sum(rawConfig))
	}
	var config imageConfig
	if err := json.Unmarshal(rawConfig, &config); err != nil {
		t.Fatal(err)
	}
	if got := config.Config.User; got != "65532:65532" {
		t.Errorf("user is %q, want one in numbers that is not root", got)
	}
	if got := config.Config.Entrypoint; !slices.Equal(got, []string{"/metrics-apiserver"}) {
		t.Errorf("entrypoint is %q", got)
	}
	if got := config.Config.Labels["org.opencontainers.image.version"]; got != "v1.2.3" {
		t.Errorf("version label is %q", got)
	}

	layer := archive[manifest[0].Layers[0]].content
	if got, want := config.RootFS.DiffIDs, []string{"sha256:" + sum(layer)}; !slices.Equal(got, want) {
		t.Errorf("diff ids are %v, want %v", got, want)
	}
	files, names := readTar(t, layer)
	if want := []string{"metrics-apiserver", "metrics-server", "tmp/"}; !slices.Equal(names, want) {
		t.Fatalf("the layer has %q, want %q", names, want)
	}
	program := files["metrics-apiserver"]
	if string(program.content) != "the program" || program.Mode != 0o755 {
		t.Errorf("the program is %q with mode %o", program.content, program.Mode)
	}
	if second := files["metrics-server"]; second.Typeflag != tar.TypeSymlink || second.Linkname != "metrics-apiserver" {
		t.Errorf("metrics-server is a %q to %q, want a link to the program", second.Typeflag, second.Linkname)
	}
	if tmp := files["tmp/"]; tmp.Typeflag != tar.TypeDir || tmp.Mode != 0o1777 {
		t.Errorf("/tmp is a %q with mode %o, want a directory that all may write to", tmp.Typeflag, tmp.Mode)
	}
	for name, f := range files {
		if f.Uid != 0 || f.Gid != 0 || f.Uname != "" || !f.ModTime.Equal(epoch) {
			t.Errorf("%s tells of the machine that built it: %+v", name, f.Header)
		}
	}
}

func TestSameFilesMakeTheSameBytes(t *testing.T) {
	write := func(binary string, reverse bool) []byte {
		img := Workload(binary)
		if reverse {
			slices.Reverse(img.Files)
		}
		var out bytes.Buffer
		if err := Write(&out, Pause(binary), img); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	first, second := fakeBinary(t, "same"), fakeBinary(t, "same")
	if err := os.Chtimes(second, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(second, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(write(first, false), write(second, true)) {
		t.Error("the archive depends on the order, the time or the mode of the source files")
	}
	if bytes.Equal(write(first, false), write(fakeBinary(t, "other"), false)) {
		t.Error("the archive does not depend on the content of the source files")
	}
}

func TestEqualImagesShareEntries(t *testing.T) {
	binary := fakeBinary(t, "same")
	var out bytes.Buffer
	if err := Write(&out, Product("example:v1", binary, "v1"), Product("example:v2", binary, "v1")); err != nil {
		t.Fatal(err)
	}
	archive, names := readTar(t, out.Bytes())
	if len(names) != 3 {
		t.Errorf("the archive has %q, want one layer, one configuration and the manifest", names)
	}
	var manifest []manifestEntry
	if err := json.Unmarshal(archive["manifest.json"].content, &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 2 {
		t.Errorf("the manifest has %d images, want 2", len(manifest))
	}
}

func TestParentDirectories(t *testing.T) {
	img := Image{Reference: "example:v1", Architecture: "amd64", Files: []File{
		{Path: "/a/b/c", Data: []byte("x"), Mode: 0o644},
		{Path: "/a/b", Dir: true, Mode: 0o700},
	}}
	var layer bytes.Buffer
	if err := img.writeLayer(&layer); err != nil {
		t.Fatal(err)
	}
	files, names := readTar(t, layer.Bytes())
	if want := []string{"a/", "a/b/", "a/b/c"}; !slices.Equal(names, want) {
		t.Errorf("the layer has %q, want %q", names, want)
	}
	if got := files["a/b/"].Mode; got != 0o700 {
		t.Errorf("a listed directory has mode %o, want its own", got)
	}
}

func TestInvalidImages(t *testing.T) {
	ok := File{Path: "/ok", Data: []byte("x")}
	for name, tc := range map[string]struct {
		img  Image
		want string
	}{
		"no reference":    {Image{Architecture: "amd64"}, "is not an image name"},
		"no architecture": {Image{Reference: "a"}, "architecture is missing"},
		"relative path":   {Image{Reference: "a", Architecture: "amd64", Files: []File{{Path: "x"}}}, `"x" is not absolute and clean`},
		"unclean path":    {Image{Reference: "a", Architecture: "amd64", Files: []File{{Path: "/x/../y"}}}, "is not absolute and clean"},
		"twice":           {Image{Reference: "a", Architecture: "amd64", Files: []File{ok, ok}}, `"/ok" is there twice`},
		"two contents":    {Image{Reference: "a", Architecture: "amd64", Files: []File{{Path: "/x", Link: "y", Dir: true}}}, "more than one of"},
		"missing source":  {Image{Reference: "a", Architecture: "amd64", Files: []File{{Path: "/x", Source: "/does/not/exist"}}}, "add /x: "},
		"directory":       {Image{Reference: "a", Architecture: "amd64", Files: []File{{Path: "/x", Source: os.TempDir()}}}, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Write(io.Discard, tc.img)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one with %q", err, tc.want)
			}
		})
	}
}
