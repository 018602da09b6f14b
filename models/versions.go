package models

import (
	"context"
	"fmt"
)

// Each state for itself, as the indexes are. A closed attempt counts while it
// is still to be looked at once more.
const openVersions = `SELECT api, count(*) FROM payments WHERE state IN ('created', 'prepaid', 'reversing') GROUP BY api
	UNION ALL SELECT api, count(*) FROM payments WHERE state = 'closed' AND next_query_at IS NOT NULL GROUP BY api
	UNION ALL SELECT api, count(*) FROM refunds WHERE state IN ('pending', 'processing') GROUP BY api`

// OpenVersions counts, by the API version they were made with, the attempts
// and refunds about which WeChat has still to be asked. A refund that waits
// for a person is not among them.
func (s *Store) OpenVersions(ctx context.Context) (map[string]int64, error) {
	rows, err := s.rows(ctx, openVersions)
	if err != nil {
		return nil, fmt.Errorf("open versions: %w", toldRead(ctx, err))
	}
	defer rows.Close()
	open := map[string]int64{}
	for rows.Next() {
		var api string
		var n int64
		if err := rows.Scan(&api, &n); err != nil {
			return nil, fmt.Errorf("open versions: %w", toldRead(ctx, err))
		}
		open[api] += n
	}
	return open, toldRead(ctx, rows.Err())
}
