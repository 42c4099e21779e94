-- 0 to 100: half of it is use, half of it is peace; an urgent ticket weighs most.
SELECT h.organization_id,
       h.name,
       h.score,
       CASE WHEN h.score >= 70 THEN 'healthy' WHEN h.score >= 40 THEN 'watch' ELSE 'at_risk' END AS health,
       h.open_tickets
FROM (
  SELECT o.id AS organization_id,
         o.name,
         t.open_tickets,
         (least(50, 3 * coalesce(l.logins, 0)) + greatest(0, 50 - coalesce(t.weight, 0)))::integer AS score
  FROM product.organizations o
  LEFT JOIN (
    SELECT m.organization_id, count(*) AS logins
    FROM product.logins l JOIN product.members m USING (email)
    WHERE l.at > now() - interval '30 days'
    GROUP BY 1
  ) l ON l.organization_id = o.id
  CROSS JOIN LATERAL (
    SELECT count(*)::integer AS open_tickets, sum(CASE priority WHEN 'urgent' THEN 30 WHEN 'high' THEN 15 ELSE 5 END) AS weight
    FROM product.tickets
    WHERE organization_id = o.id AND status = 'open'
  ) t
) h
