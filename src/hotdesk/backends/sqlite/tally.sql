-- name: count
INSERT INTO tally (name, step, amount) VALUES (:tally, :step, :amount)
ON CONFLICT (name, step) DO UPDATE SET amount = amount + :amount;

-- name: counted
SELECT coalesce(sum(amount), 0) AS amount FROM tally WHERE name = :tally AND step >= :since;

-- name: delete_old_tallies
DELETE FROM tally WHERE (name, step) IN (
    SELECT name, step FROM tally INDEXED BY tally_by_age WHERE step < :before LIMIT :limit
);
