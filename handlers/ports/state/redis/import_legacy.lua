-- A legacy call, taken over once. KEYS: session, events, summary, context, history, turns, outbox.
-- ARGV: now, when it began, TTLs (session, ended, context, outbox), '1' where it was disconnected, what else it held as
-- a JSON object without its closing brace, number of turns, number of session fields, wrapped key or '', then pairs of turn
-- id and entry, pairs of session fields, pairs of context.
-- What stands in session and context already stays; turns that were taken before keep their numbers.
local session, events, summary, context, history, turns, outbox = unpack(KEYS)
local now, entries, fields = ARGV[1], tonumber(ARGV[9]), tonumber(ARGV[10])
if redis.call('EXISTS', summary) == 1 then
  return { 'archived' }
end
if redis.call('HEXISTS', session, '_legacy') == 1 then
  return { 'before', redis.call('HGETALL', session) }
end
local first_entry = 12
local first_field = first_entry + 2 * entries
local first_fact = first_field + 2 * fields
for i = first_entry, first_field - 1, 2 do
  if redis.call('HEXISTS', turns, ARGV[i]) == 1 then
    return { 'taken' }
  end
end
local status, key = unpack(redis.call('HMGET', session, 'status', '_key'))
if ARGV[11] ~= '' and key and key ~= ARGV[11] then
  return { 'rekey' }
end
if not status then
  redis.call('HSET', session, 'status', 'provisional', 'openedAt', ARGV[2])
end
if ARGV[11] ~= '' then
  redis.call('HSET', session, '_key', ARGV[11])
end
local last = tonumber(redis.call('HGET', session, 'lastSeq') or '0')
local extra = ARGV[8] .. ',"firstSeq":' .. (last + 1) .. '}'
for i = first_entry, first_field - 1, 2 do
  last = last + 1
  redis.call('RPUSH', history, last .. ' ' .. ARGV[i + 1])
  redis.call('HSET', turns, ARGV[i], last)
end
if entries > 0 then
  redis.call('HSET', session, 'lastSeq', last)
end
redis.call('HSET', session, '_legacy', 'imported', 'lastActivity', now)
-- Only the archive needs it; the session is read by every turn. No turn id holds a colon.
redis.call('HSET', turns, '::legacy', extra)
for i = first_field, first_fact - 1, 2 do
  redis.call('HSETNX', session, ARGV[i], ARGV[i + 1])
end
for i = first_fact, #ARGV, 2 do
  redis.call('HSETNX', context, ARGV[i], ARGV[i + 1])
end
redis.call('HSETNX', context, '_createdAt', now)
local ended = status == 'ended'
if ARGV[7] == '1' and not ended then
  ended = true
  redis.call('HSET', session, 'status', 'ended', 'endedAt', now)
  redis.call('HSETNX', session, 'endReason', 'CallDisconnected')
end
if ended then
  redis.call('HSETNX', outbox, 'ended', now .. ' 0 - 0 0 ')
end
local ttl = ended and ARGV[4] or ARGV[3]
for _, key in ipairs({ session, events, history, turns }) do
  redis.call('EXPIRE', key, ttl)
end
redis.call('EXPIRE', context, ARGV[5])
redis.call('EXPIRE', outbox, ARGV[6])
return { 'imported', redis.call('HGETALL', session) }
