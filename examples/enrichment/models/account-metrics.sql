-- A row for each account, whether it pays or not.
SELECT a.id AS account_id,
       a.name,
       a.domain,
       a.seats,
       12 * s.monthly_fee AS annual_revenue,
       CASE WHEN 12 * s.monthly_fee >= 24000 THEN 'gold' WHEN s.monthly_fee IS NOT NULL THEN 'silver' END AS tier,
       s.account_id IS NOT NULL AS is_paying,
       u.last_seen,
       least(100, round(100.0 * coalesce(u.active_users, 0) / a.seats))::integer AS adoption
FROM app.accounts a
LEFT JOIN app.subscriptions s ON s.account_id = a.id
LEFT JOIN (
  SELECT account_id, max(active_users) AS active_users, max(last_seen) AS last_seen
  FROM app.usage_days
  WHERE day > current_date - 30
  GROUP BY account_id
) u ON u.account_id = a.id
