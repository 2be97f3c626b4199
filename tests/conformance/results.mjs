// The results that are checked in, and what has changed since.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'

import { isPass, kinds, tests } from './tally.mjs'
import { version } from './suite.mjs'

const file = new URL('results.json', import.meta.url)

export function readResults () {
  return existsSync(file) ? JSON.parse(readFileSync(file)).results : undefined
}

export function writeResults (results) {
  const tallies = Object.fromEntries(Object.entries(results).map(([store, of]) => [store, tally(of)]))
  const content = { suite: `http-cache-tests ${version}`, tallies, results }
  writeFileSync(file, JSON.stringify(content, null, 1) + '\n')
}

// By kind: how many passed, of how many.
export function tally (results, of = tests) {
  return Object.fromEntries(kinds.map(kind => {
    const ofKind = of.filter(test => test.kind === kind)
    const passed = ofKind.filter(test => isPass(results[test.id]))
    return [kind, { passed: passed.length, of: ofKind.length }]
  }))
}

// A pass that is none any more is worse. The other answer to a mere question (`check`) is another one.
export function compare (before, after) {
  const changes = { worse: [], better: [], other: [] }
  for (const [store, results] of Object.entries(after)) {
    for (const test of tests) {
      const [was, is] = [before[store]?.[test.id], results[test.id]]
      if (was === undefined || was.verdict === is.verdict) continue
      const change = { store, id: test.id, was: was.verdict, is: is.verdict, why: is.why }
      changes[sort(test, was, is)].push(change)
    }
  }
  return changes
}

function sort (test, was, is) {
  const isAnswer = result => ['yes', 'no'].includes(result.verdict)
  if (test.kind === 'check' && isAnswer(was) && isAnswer(is)) return 'other'
  if (test.kind === 'check') return isAnswer(was) ? 'worse' : 'better'
  if (isPass(was)) return 'worse'
  return isPass(is) ? 'better' : 'other'
}
