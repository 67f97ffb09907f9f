-- name: compatible_with
-- The lowest schema that a program may know and still work with this file.
SELECT value FROM meta WHERE key = 'compatible_with';
