-- KEYS: quota, holds, mark. ARGV: time, seq, delta, at, session, policy, limit, window, grain, budget, hold time,
-- forget after, mark retention, then what to do with the session's budget: lease, admit, refund or leave.
-- Mirrors the window policies and accounts of goobster-core; the tests hold both to the same answers.
local now = server_now()
local seq, delta, at, session = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4] ~= '' and ARGV[4] or int(now)), ARGV[5]
local policy, limit, window, grain = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local budget, hold_time, forget_after, what = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[14]

local flat = redis.call('HGETALL', KEYS[1])
local start, used, buckets, kind, total, forget = nil, nil, {}, nil, nil, false
for i = 1, #flat, 2 do
  local field, value = flat[i], flat[i + 1]
  if field == 'kind' then kind = value
  elseif field == 'start' then start = number(value, 'start in ' .. KEYS[1])
  elseif field == 'used' then used = number(value, 'used in ' .. KEYS[1])
  elseif field == 'forget' then forget = true
  elseif field == 'total' then total = number(value, 'total in ' .. KEYS[1])
  elseif string.sub(field, 1, 2) == 'b:' then
    buckets[number(string.sub(field, 3), 'bucket in ' .. KEYS[1])] = number(value, 'bucket in ' .. KEYS[1])
  end
end
-- A row that is there is there as a whole: half of one is damage, never a fresh quota.
if #flat == 0 then
  kind, used, total = policy, 0, 0
else
  if kind ~= 'fixed' and kind ~= 'sliding' then error('CORRUPT kind in ' .. KEYS[1], 0) end
  number(total, 'total in ' .. KEYS[1])
  if kind == 'fixed' then
    number(start, 'start in ' .. KEYS[1])
    number(used, 'used in ' .. KEYS[1])
  end
end
local function newest()
  local found = nil
  for index in pairs(buckets) do if not found or index > found then found = index end end
  return found
end

-- A window of the other policy: what was used is carried over, nothing is freed.
local adopted = false
if kind ~= policy then
  if policy == 'sliding' then
    if used > 0 then buckets[math.floor((start or now) / grain)] = used end
    start, used = nil, 0
  else
    used = 0
    for _, amount in pairs(buckets) do used = used + amount end
    start, buckets = used > 0 and now or nil, {}
  end
  adopted = used > 0 or newest() ~= nil
end

local function leaves(index) return (index + 1) * grain + window end
local moved = false
local function settle(time)
  if policy == 'fixed' then
    if start and time + window < start then start, moved = time, true end
    return
  end
  local last = newest()
  if last and last * grain > time + window then
    local shift, shifted = last - math.floor(time / grain), {}
    for index, amount in pairs(buckets) do shifted[index - shift] = amount end
    buckets, moved = shifted, true
  end
  for index in pairs(buckets) do if leaves(index) <= time then buckets[index], moved = nil, true end end
end
local function add(index, amount) buckets[index] = (buckets[index] or 0) + amount end
local function begin(from, amount)
  local whole = math.floor((amount - 1) / window)
  start, used = from + whole * window, amount - whole * window
end
local function charge()
  settle(at)
  if policy == 'fixed' then
    local from = at - delta
    if not start or from >= start + window then begin(from, delta)
    elseif at > start + window then begin(start + window, at - (start + window))
    else used = used + delta end
    return
  end
  local last, finish = newest(), at
  if last and math.floor((finish - 1) / grain) < last then return add(last, delta) end
  local from = math.max(finish - delta, finish - (window + grain))
  while finish > from do
    local index = math.floor((finish - 1) / grain)
    local first = math.max(index * grain, from)
    add(index, finish - first)
    finish = first
  end
  settle(at)
end
local function usage(time)
  settle(time)
  if policy == 'fixed' then
    if start and time < start + window then return used, start + window end
    return 0, nil
  end
  local sum, resets = 0, nil
  for index, amount in pairs(buckets) do
    if leaves(index) > time then
      sum = sum + amount
      if not resets or leaves(index) < resets then resets = leaves(index) end
    end
  end
  return sum, resets
end

local function save(total, ttl)
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'kind', policy, 'total', int(total))
  if policy == 'fixed' then
    redis.call('HSET', KEYS[1], 'start', int(start), 'used', int(used))
  else
    for index, amount in pairs(buckets) do redis.call('HSET', KEYS[1], 'b:' .. int(index), int(amount)) end
  end
  -- Who asked to be forgotten is, as soon as nothing can be counted any more.
  if forget then
    redis.call('HSET', KEYS[1], 'forget', 1)
    ttl = math.min(ttl, window + grain)
  end
  redis.call('PEXPIRE', KEYS[1], int(ttl))
end
local applied = seq > number(redis.call('GET', KEYS[3]) or 0, KEYS[3])
if applied then
  if delta > 0 then
    charge()
    total = total + delta
    save(total, forget_after)
  end
  redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[13])
end
-- A window that was just adopted begins now, and not anew with every look.
moved = adopted
local counted, resets = usage(now)
-- What looking changed is kept: a bucket that has left must not come back when the clock steps back, and a clock that was
-- set back by more than a window must not be waited for. Only a charge lengthens how long the member is remembered.
if moved then
  local ttl = redis.call('PTTL', KEYS[1])
  if ttl > 0 then save(total, ttl) end
end
local spent = math.min(counted, limit)
local remaining = limit - spent
-- What is set aside for the other sessions, and for this one.
local others, mine = 0, 0
flat = redis.call('HGETALL', KEYS[2])
for i = 1, #flat, 2 do
  local amount, expires = string.match(flat[i + 1], '^(%d+):(%-?%d+)$')
  if not amount then error('CORRUPT hold in ' .. KEYS[2], 0) end
  if tonumber(expires) <= now then redis.call('HDEL', KEYS[2], flat[i])
  elseif flat[i] == session then mine = tonumber(amount)
  else others = others + tonumber(amount) end
end
if what == 'admit' and math.max(remaining - others - mine, 0) == 0 then
  return {'used-up', int(math.max(remaining - others - mine, 0)), resets and int(resets) or ''}
end
local granted = 0
if what == 'lease' or what == 'admit' then
  granted = math.min(math.max(remaining - others, 0), budget)
  if granted > 0 then
    redis.call('HSET', KEYS[2], session, int(granted) .. ':' .. int(now + hold_time))
    keep(KEYS[2], hold_time)
  else
    redis.call('HDEL', KEYS[2], session)
  end
  mine = granted
elseif what == 'refund' then
  redis.call('HDEL', KEYS[2], session)
  mine = 0
end
return {'ok', applied and '1' or '0', int(spent), int(math.max(remaining - others - mine, 0)),
  resets and int(resets) or '', int(granted)}
