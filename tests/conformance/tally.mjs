// What became of each test, as the suite itself judges it: a test counts only if those it depends on passed.

import { determineTestResult } from 'http-cache-tests/lib/display.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'
import rest from 'http-cache-tests/tests/index.mjs'

const suites = [...rest, surrogate]

// All that are for caches which are not browsers.
export const tests = suites
  .flatMap(suite => suite.tests.map(test => ({ ...test, suite: suite.id, kind: test.kind ?? 'required' })))
  .filter(test => !test.browser_only)

export const kinds = ['required', 'optimal', 'check']

// The verdict on each test, by its id, and the reason where the suite says one.
export function judge (raw) {
  return Object.fromEntries(tests.map(test => {
    const [, , symbol] = determineTestResult(suites, test.id, raw)
    const verdict = verdicts[symbol] ?? symbol
    const says = good.has(verdict) || verdict === 'no' || verdict === 'dependency'
    return [test.id, says ? { verdict } : { verdict, why: steady(raw[test.id]?.[1]) }]
  }))
}

export function isPass (result) {
  return good.has(result?.verdict)
}

// Identifiers, ports and times differ from one run to the next; results should not.
function steady (why) {
  return why
    ?.replace(/[0-9a-f]{8}-[0-9a-f-]{27,}/g, 'UUID')
    .replace(/127\.0\.0\.1:\d+/g, 'HOST')
    .replace(/"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"/g, 'DATE')
}

const verdicts = {
  '✅': 'pass',
  '⛔️': 'fail',
  '⚠️': 'fail',
  Y: 'yes',
  N: 'no',
  '🔹': 'setup',
  '⁉️': 'harness',
  '⚪️': 'dependency',
  '↻': 'retry',
  '-': 'untested'
}

const good = new Set(['pass', 'yes'])
