-- Sends a fixed plan with wrk, one connection a thread: `wrk -s wrk.lua URL -- PLAN.lua`. A plan is a
-- table of threads; a thread a list of batches of one size, which are sent at once; a request is
-- {its bytes, id, status, length of the answer's body or false}.

local threads = {}

function setup(thread)
    thread:set("number", #threads + 1)
    table.insert(threads, thread)
end

function init(args)
    batches = dofile(args[1])[number]
    expected = {}
    sent, answered, calls = 0, 0, 0
    for _, batch in ipairs(batches) do
        local texts = {}
        for _, planned in ipairs(batch) do
            table.insert(texts, planned[1])
            table.insert(expected, planned)
        end
        batch.text = table.concat(texts)
    end
end

function request()
    calls = calls + 1
    -- wrk asks the first thread once before it starts, and sends nothing then.
    if not (number == 1 and calls == 2) then
        sent = sent + 1
    end
    return batches[sent].text
end

function response(status, headers, body)
    answered = answered + 1
    local planned = expected[answered]
    local id = headers["X-Request-Id"] or headers["x-request-id"] -- HAProxy writes lower case
    local fits = id == planned[2] and status == planned[3]
        and (not planned[4] or #body == planned[4])
    if not fits then
        io.stderr:write("wrong answer to request ", planned[2], ": ", status, "\n")
    end
    if answered == #expected then
        io.stderr:write("finished\n")
        wrk.thread:stop()
    end
end
