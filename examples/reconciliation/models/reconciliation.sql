SELECT coalesce(l.reference, b.reference) AS reference,
       CASE
         WHEN b.reference IS NULL THEN 'missing in bank'
         WHEN l.reference IS NULL THEN 'missing in ledger'
         WHEN l.amount <> b.amount THEN 'amount differs'
         ELSE 'matched'
       END AS status,
       l.amount AS ledger_amount,
       b.amount AS bank_amount,
       b.amount - l.amount AS difference,
       l.posted_on,
       b.booked_on
FROM finance_raw.ledger l
FULL JOIN finance_raw.bank b ON b.reference = l.reference
