-- Recency, frequency and money of the last year make segment and score; whoever gave no consent is in nobody's audience.
SELECT c.id::text AS customer_id,
       c.email,
       c.first_name,
       coalesce(s.consent, 'no') = 'yes' AS has_consent,
       CASE
         WHEN o.orders IS NULL THEN 'prospect'
         WHEN o.last_order < now() - interval '90 days' THEN 'lapsing'
         WHEN o.spent >= 1000 THEN 'vip'
         ELSE 'regular'
       END AS segment,
       least(100, coalesce(20 * o.orders + floor(o.spent / 25), 0))::integer AS score
FROM shop.customers c
LEFT JOIN (
  SELECT customer_id, count(*) AS orders, sum(amount) AS spent, max(ordered_at) AS last_order
  FROM shop.orders
  WHERE ordered_at > now() - interval '1 year'
  GROUP BY customer_id
) o ON o.customer_id = c.id
LEFT JOIN shop.consents s ON s.customer = c.id
