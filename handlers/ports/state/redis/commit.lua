-- One turn, decided once. KEYS: session, events, summary, context, history, turns, outbox.
-- ARGV: turn id, now, entry, TTLs (session, context, outbox), user mode (keep, set, remove), user, most keys and most
-- bytes of a context, wrapped key or '', number of keys to set, number of revisions, then pairs to set, then number, turn
-- id and entry of each revision, then keys to delete. An entry begins with its revision.
-- The number of a turn is its place in the history, so the turns hash holds the number alone.
local session, events, summary, context, history, turns, outbox = unpack(KEYS)
local turn, now, entry, wrap = ARGV[1], ARGV[2], ARGV[3], ARGV[11]
local status, key = unpack(redis.call('HMGET', session, 'status', '_key'))
if wrap ~= '' and key and key ~= wrap then
  return { 'rekey' }
end
local known = redis.call('HGET', turns, turn)
if known then
  return { 'known', redis.call('LINDEX', history, tonumber(known) - 1) }
end
if status == 'ended' or redis.call('EXISTS', summary) == 1 then
  return { 'ended' }
end
local first_pair = 14
local first_revision = first_pair + 2 * tonumber(ARGV[12])
local first_delete = first_revision + 3 * tonumber(ARGV[13])
for i = first_revision, first_delete - 1, 3 do
  local frame = redis.call('LINDEX', history, tonumber(ARGV[i]) - 1)
  local rev = frame and redis.call('HGET', turns, ARGV[i + 1]) == ARGV[i] and string.match(frame, '^%d+ (%d+) ')
  if not rev or tonumber(rev) + 1 ~= tonumber(string.match(ARGV[i + 2], '^%d+')) then
    return { 'stale' }
  end
end
-- What sealing adds to a value does not count.
local function size(value)
  return #value - (string.byte(value, 1) == 1 and 38 or 0)
end
local deleted = {}
for i = first_delete, #ARGV do
  deleted[ARGV[i]] = true
end
if first_revision > first_pair then
  local merged = {}
  local stored = redis.call('HGETALL', context)
  for i = 1, #stored, 2 do
    if string.sub(stored[i], 1, 1) ~= '_' and not deleted[stored[i]] then
      merged[stored[i]] = size(stored[i + 1])
    end
  end
  for i = first_pair, first_revision - 1, 2 do
    merged[ARGV[i]] = size(ARGV[i + 1])
  end
  local keys, bytes = 0, 0
  for name, length in pairs(merged) do
    keys, bytes = keys + 1, bytes + #name + length
  end
  if keys > tonumber(ARGV[9]) or bytes > tonumber(ARGV[10]) then
    return { 'full' }
  end
end
if not status then
  redis.call('HSET', session, 'status', 'provisional', 'openedAt', now, '_legacy', 'none')
end
if wrap ~= '' and not key then
  redis.call('HSET', session, '_key', wrap)
end
local seq = redis.call('HINCRBY', session, 'lastSeq', 1)
redis.call('HSET', session, 'lastActivity', now)
local named = wrap == '' and '-' or wrap
local function push(id, number, content)
  local frame = number .. ' ' .. content
  redis.call('HSET', outbox, 't:' .. id, now .. ' ' .. string.match(content, '^%d+') .. ' ' .. named .. ' ' .. frame)
  return frame
end
redis.call('RPUSH', history, push(turn, seq, entry))
redis.call('HSET', turns, turn, seq)
for i = first_revision, first_delete - 1, 3 do
  redis.call('LSET', history, tonumber(ARGV[i]) - 1, push(ARGV[i + 1], ARGV[i], ARGV[i + 2]))
end
if redis.call('EXISTS', context) == 0 then
  redis.call('HSET', context, seq > 1 and '_rebuiltAt' or '_createdAt', now)
end
if first_revision > first_pair then
  redis.call('HSET', context, unpack(ARGV, first_pair, first_revision - 1))
end
if first_delete <= #ARGV then
  redis.call('HDEL', context, unpack(ARGV, first_delete, #ARGV))
end
if ARGV[7] == 'set' then
  redis.call('HSET', session, 'user', ARGV[8])
elseif ARGV[7] == 'remove' then
  redis.call('HDEL', session, 'user')
end
redis.call('EXPIRE', session, ARGV[4])
redis.call('EXPIRE', events, ARGV[4])
redis.call('EXPIRE', history, ARGV[4])
redis.call('EXPIRE', turns, ARGV[4])
redis.call('EXPIRE', context, ARGV[5])
redis.call('EXPIRE', outbox, ARGV[6])
return { 'new', seq }
