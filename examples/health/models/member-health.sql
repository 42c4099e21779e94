-- What a message to a member may depend on; Intercom has times as seconds.
SELECT m.email,
       m.name,
       m.organization_id,
       floor(extract(epoch FROM max(l.at)))::bigint AS last_login_at,
       count(l.id) FILTER (WHERE l.at > now() - interval '30 days')::integer AS logins,
       count(l.id) FILTER (WHERE l.at > now() - interval '14 days') = 0 AS is_inactive
FROM product.members m
LEFT JOIN product.logins l USING (email)
GROUP BY m.email
