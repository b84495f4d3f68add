// kopia-maintain runs kopia's full maintenance on a repository in S3 at once and without its waits, so that a test sees packs and indexes
// replaced and removed in seconds instead of days. Nobody may write to the repository meanwhile.
//
//	AWS_ACCESS_KEY_ID=.. AWS_SECRET_ACCESS_KEY=.. kopia-maintain HOST:PORT BUCKET PREFIX CA-FILE PASSWORD
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob/s3"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"
)

func maintain(ctx context.Context, endpoint, bucket, prefix, caFile, password string) error {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	storage, err := s3.New(ctx, &s3.Options{BucketName: bucket, Prefix: prefix, Endpoint: endpoint, RootCA: ca, Region: "us-east-1",
		AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}, false)
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "kopia-maintain-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	config := filepath.Join(directory, "repository.config")
	if err := repo.Connect(ctx, config, storage, password, &repo.ConnectOptions{}); err != nil {
		return err
	}
	opened, err := repo.Open(ctx, config, password, &repo.Options{})
	if err != nil {
		return err
	}
	defer opened.Close(ctx)
	return repo.DirectWriteSession(ctx, opened.(repo.DirectRepository), repo.WriteSessionOptions{Purpose: "maintenance"},
		func(ctx context.Context, w repo.DirectRepositoryWriter) error {
			return snapshotmaintenance.Run(ctx, w, maintenance.ModeFull, true, maintenance.SafetyNone)
		})
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: kopia-maintain HOST:PORT BUCKET PREFIX CA-FILE PASSWORD")
		os.Exit(2)
	}
	if err := maintain(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
