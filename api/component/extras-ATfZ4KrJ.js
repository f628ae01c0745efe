import{ApiError as e,B as t,F as n,H as r,I as i,J as a,K as o,O as s,R as c,U as l,W as u,Y as d,Z as f,a as p,b as m,c as h,h as g,i as _,m as v,n as y,o as ee,p as b,q as te,t as x,v as S,w as C,z as ne}from"./session-booking.js";import{Keys as w,a as T,creditText as E,i as re,r as D}from"./enhanced-lfqorW0w.js";var ie=7;function ae(e,t){let{calendar:r,mentorId:a,zone:o}=e;if(!r.to||r.error||r.isLoading&&!r.slots.length)return null;let s=b(r.slots,a,t),c=u(n(i(t,o),ie),o);return{next:s[0]?v(s[0]):null,inWeek:r.to>=c?s.filter(e=>v(e)<c).length:null}}function oe(e,n,a,o){let s=(Date.parse(i(e,o))-Date.parse(i(n,o)))/864e5;return s<0||s>1?r(a,{weekday:`short`,day:`numeric`,month:`short`,hour:`numeric`,minute:`2-digit`,timeZone:o}).format(e):`${new Intl.RelativeTimeFormat(a,{numeric:`auto`}).format(s,`day`)}, ${t(e,a,o)}`}function se(e,t,n){let{state:r}=e.store,i=Date.now(),s=ae(r,i);if(!s)return o;let{next:c,inWeek:l}=s;return c===null?a`<span class="availability none" part="availability">${t.availability.none}</span>`:a`<span class="availability" part="availability"
      >${t.availability.next(oe(c,i,n,r.zone))}</span
    >
    ${l?a`<span class="muted">${S(e,l,t.plurals.weekly)}</span>`:o}`}var ce=f`
  .refused ul {
    margin-block-start: 6px;
    display: grid;
    gap: 4px;
    font-size: 0.92em;
  }
  .refused li {
    display: flex;
    flex-wrap: wrap;
    gap: 0 10px;
  }
  .availability {
    color: var(--success);
    font-weight: 600;
  }
  .availability.none {
    color: var(--warning);
  }
  .series .field {
    grid-template-columns: minmax(0, 1fr);
    min-inline-size: 0;
  }
  section.series {
    display: grid;
    gap: 8px;
  }
  .groups,
  .groups ul,
  .group {
    display: grid;
    gap: 8px;
  }
  .group {
    gap: 2px;
    padding: 10px 14px;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  .group form {
    margin-block: 8px;
  }
`,O=20,k=6e4,le=1e3,[A,j]=[`join`,`waitlist/accept-offer`];function M(e,t=!1){return e.joined?`joined`:e.waitlistPosition===null?t?`own`:e.full?`full`:`open`:e.waitlistPosition<=e.seatsOffered?`kept`:`waiting`}var ue=class{#e;#t;#n;constructor(e,t){this.context=e,this.words=t,this.store=new x({groups:null,hasMore:!1,bundles:[],quotes:/* @__PURE__ */ new Map,keptUntil:/* @__PURE__ */ new Map,busy:null,done:null,failure:null}),this.isAsked=!1,this.#t=O,this.#n=0,this.#e=new w(e.client);let n=()=>{!document.hidden&&this.isAsked&&Date.now()-this.#n>k&&this.readAgain()};document.addEventListener(`visibilitychange`,n,{signal:e.signal}),addEventListener(`online`,n,{signal:e.signal})}ask(){!this.isAsked&&this.context.client.tokens.canSignIn&&(this.isAsked=!0,queueMicrotask(()=>this.readAgain()))}sessionChanged(e){this.store.state.groups?.some(t=>t.id===e.bookingId)&&this.readAgain()}isOwn(e){let{subject:t}=this.context.client.tokens,{offers:n}=this.context.store.state;return n.some(({mentor:n})=>n.id===e.mentorProfileId&&n.userId===t)}bundlesFor({courseId:e,durationMinutes:t}){return this.store.state.bundles.filter(n=>n.courseId===e&&(n.durationMinutes??t)===t)}readAgain(){this.store.state.busy||this.#o().catch(()=>void 0)}showMore(){this.#t+=O,this.readAgain()}look(e){let t=M(e);(t===`joined`?this.#c(e):t===`kept`?this.#l(e):null)?.catch(t=>this.#m(e,t))}join(e,t){return this.#r(e,`join`,A,t)}accept(e,t){return this.#r(e,`accept`,j,t)}wait(e){return this.#d(e,`wait`,async()=>{let{position:t}=await this.#u(`${N(e)}/waitlist`,{});return this.words().groups.waiting(t)})}unwait(e){return this.#d(e,`unwait`,async()=>{let t={method:`DELETE`,key:crypto.randomUUID(),signal:this.context.signal};return await this.context.client.request(`${N(e)}/waitlist`,t),this.words().groups.stopped})}leave(t,n){return this.#d(t,`leave`,async()=>{let r=await this.#c(t);if(r.fee.amount>n.fee.amount||n.creditReturned===!0&&!r.creditReturned||!r.allowed)throw e.ofPage(this.words().cancelling.costChanged);let i=await this.#a(t);return await this.#u(P(t),{}),this.context.emit(`cancelled`,{session:i}),this.words().done.leave})}#r(e,t,n,r){return this.#d(e,t,async()=>{let t={...r?{bundlePurchaseId:r}:{expectedPrice:e.price},expectedCancellation:e.cancellationPolicy};return await this.#i(await this.#u(`${N(e)}/${n}`,t)),this.words().groups.done})}async#i(e){let t=await this.#a(e).catch(()=>null);t&&this.context.emit(`booked`,{booking:e,session:t})}async#a({sessionId:t}){let{signal:n}=this.context;for(;;)try{return await this.context.client.get(`/sessions/${t}`,{},{signal:n})}catch(t){if(!(t instanceof e)||t.code!==`session_pending`)throw t;await h(t.retryAfter?t.retryAfter*1e3:le,n)}}async#o(){let{client:e,options:t,signal:n,store:r}=this.context,{course:i,offers:a}=r.state,o=t.mentorId??(i?null:a[0]?.mentor.id),s=[],c=null,l=Date.now();do{let r={courseId:t.courseId,mentorProfileId:o,limit:O,cursor:c},i=await e.get(`/group-sessions`,r,{signal:n});s.push(...i.items),c=i.nextCursor}while(c&&s.length<this.#t);this.#n=l;let u=s.filter(e=>!e.cancelledAt);if(this.store.update({groups:u,hasMore:c!==null}),this.#s(u),!u.some(e=>e.courseId&&!e.joined))return;let d=await e.get(`/bundles`,{limit:100},{signal:n});this.store.update({bundles:d.items.filter(e=>e.status===`active`)})}#s(e){for(let t of e){if(!t.joined){this.#e.forget(P(t));continue}let e=[A,j].map(e=>`${N(t)}/${e}`).filter(e=>this.#e.isOpen(e));for(let t of e)this.#e.forget(t);e.length&&this.#i(t)}}async#c(e){let t=`/sessions/${e.sessionId}/cancellation-quote`,n=await this.context.client.get(t,{},{signal:this.context.signal});return this.store.update(({quotes:t})=>({quotes:new Map([...t,[e.id,n]])})),n}async#l(e){let{signal:t}=this.context;if(M(await this.context.client.get(N(e),{},{signal:t}))!==`kept`)return this.readAgain();let{offer:n}=await this.#u(`${N(e)}/waitlist`,{});if(!n)return this.readAgain();this.store.update(({keptUntil:t})=>({keptUntil:new Map([...t,[e.id,n.expiresAt]])}))}#u(e,t){let{signal:n}=this.context;return this.#e.send(e,t,r=>this.context.client.post(e,t,{key:r,signal:n}))}async#d(e,t,n){if(this.store.state.busy)return;let{id:r}=e;this.store.update({busy:{id:r,action:t},done:null,failure:null});let i=null;try{i=await n()}catch(t){if(this.context.signal.aborted)return;this.#m(e,t)}await this.#o().catch(()=>void 0),this.context.signal.aborted||(this.store.update({busy:null,...i&&{done:{id:r,sentence:i}}}),i&&(this.context.announce(i),await this.#f(r),t!==`wait`&&t!==`unwait`&&this.context.store.state.calendar.to&&this.context.flow.reloadSlots()))}async#f(e){let{element:t}=this.context;await t.updateComplete;let n=t.shadowRoot;n?.activeElement||n?.querySelector(`[data-group="${CSS.escape(e)}"]`)?.focus()}#p(e,{price:t,cancellation:n}){let r=t?{price:t}:{cancellationPolicy:n??null};this.store.update(({groups:t})=>({groups:t&&t.map(t=>t.id===e?{...t,...r}:t)}))}#m({id:t},n){if(this.context.signal.aborted)return;let r=e.ofPage(n);r.presentTerms&&this.#p(t,r.presentTerms),r.code!==`page`&&(this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`book`})),this.store.update({failure:{id:t,error:r}})}};function N({id:e}){return`/group-sessions/${e}`}function P(e){return`${N(e)}/leave`}var de={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},fe=e=>(...t)=>({_$litDirective$:e,values:t}),pe=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},{I:F}=d,I=e=>e,L=()=>document.createComment(``),R=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new F(r.insertBefore(L(),i),r.insertBefore(L(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=I(e).nextSibling;I(r).insertBefore(e,i),e=t}}}return n},z=(e,t,n=e)=>(e._$AI(t,n),e),B={},me=(e,t=B)=>e._$AH=t,he=e=>e._$AH,V=e=>{e._$AR(),e._$AA.remove()},H=(e,t,n)=>{let r=/* @__PURE__ */ new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},ge=fe(class extends pe{constructor(e){if(super(e),e.type!==de.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=he(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let s=this.ut??=[],c=[],l,u,d=0,f=i.length-1,p=0,m=a.length-1;for(;d<=f&&p<=m;)if(i[d]===null)d++;else if(i[f]===null)f--;else if(s[d]===o[p])c[p]=z(i[d],a[p]),d++,p++;else if(s[f]===o[m])c[m]=z(i[f],a[m]),f--,m--;else if(s[d]===o[m])c[m]=z(i[d],a[m]),R(e,c[m+1],i[d]),d++,m--;else if(s[f]===o[p])c[p]=z(i[f],a[p]),R(e,i[d],i[f]),f--,p++;else if(l===void 0&&(l=H(o,p,m),u=H(s,d,f)),l.has(s[d])){if(l.has(s[f])){let t=u.get(o[p]),n=t===void 0?null:i[t];if(n===null){let t=R(e,i[d]);z(t,a[p]),c[p]=t}else c[p]=z(n,a[p]),R(e,i[d],n),i[t]=null;p++}else V(i[f]),f--}else V(i[d]),d++;for(;p<=m;){let t=R(e,c[m+1]);z(t,a[p]),c[p++]=t}for(;d<=f;){let e=i[d++];e!==null&&V(e)}return this.ut=o,me(e,c),te}}),_e=36e5;function ve(e,t){e.ask();let{groups:n,hasMore:r}=e.store.state;if(!n?.length)return o;let i=e.words(),{zone:s}=e.context.store.state;return a`<section class="groups" part="groups" aria-labelledby="groups-title">
    <h3 id="groups-title">${i.groups.title}</h3>
    <ul>
      ${ge(n,({id:e})=>e,n=>ye({groups:e,group:n,words:i,locale:t,zone:s}))}
    </ul>
    ${r?a`<div><button type="button" part="button" @click=${()=>e.showMore()}>${i.groups.more}</button></div>`:o}
  </section>`}function ye(e){let{groups:t,group:n,words:r,locale:i,zone:s}=e,{failure:c,done:l}=t.store.state,u=M(n,t.isOwn(n)),d=ne(Date.parse(n.startTime),Date.parse(n.endTime),i,s),f=[n.mentor?.name,D({words:r,locale:i},n.price),U(e,u)];return a`<li class="group" data-group=${n.id} tabindex="-1" aria-label=${`${n.title??r.details.group}, ${d}`}>
    <b>${n.title??r.details.group}</b>
    <span>${d}</span>
    <span class="muted">${f.filter(Boolean).join(` · `)}</span>
    ${l?.id===n.id?a`<p class="message" part="message">${l.sentence}</p>`:o}
    ${be(e,u,d)}
    ${c?.id===n.id?a`<p class="message danger" part="message" role="alert">${we(e,c.error)}</p>`:o}
  </li>`}function U({groups:e,group:t,words:n},r){let i=t.capacity-t.seatsTaken-t.seatsOffered;switch(r){case`joined`:return n.groups.joined;case`kept`:return n.groups.kept;case`waiting`:return n.groups.waiting(t.waitlistPosition??0);default:return t.full?n.groups.full:S(e.context,i,n.plurals.places)}}function be(e,t,n){let{groups:r,group:i,words:s}=e,c=a`<span class="visually-hidden">(${n})</span>`,l=e=>{e.target.open&&r.look(i)};switch(t){case`joined`:return a`<details class="leave" @toggle=${l}>
        <summary>${s.leave} ${c}</summary>
        ${Ce(e)}
      </details>`;case`kept`:return a`<details class="kept" @toggle=${l}>
        <summary>${s.groups.takeKept} ${c}</summary>
        ${xe(e)}
      </details>`;case`waiting`:return a`<details class="waiting">
        <summary>${s.groups.unwait} ${c}</summary>
        ${G(e,`unwait`,s.groups.unwait,()=>r.unwait(i),a`<p class="muted">${s.groups.unwaitHint}</p>`)}
      </details>`;case`full`:return a`<details class="full">
        <summary>${s.groups.wait} ${c}</summary>
        ${G(e,`wait`,s.groups.wait,()=>r.wait(i),a`<p class="muted">${s.groups.waitHint}</p>`)}
      </details>`;case`open`:return a`<details class="join">
        <summary>${s.groups.join} ${c}</summary>
        ${W(e,`join`,s.groups.join,e=>r.join(i,e))}
      </details>`;default:return o}}function xe(e){let{groups:t,group:n,words:r,locale:i,zone:s}=e,c=t.store.state.keptUntil.get(n.id),l=t.store.state.busy;return a`${c?a`<p role="status">${r.groups.keptUntil(C({locale:i,zone:s},Date.parse(c)))}</p>`:o}
    ${W(e,`accept`,r.groups.takeKept,e=>t.accept(n,e))}
    <div class="actions">
      <button type="button" part="button" aria-disabled=${l?`true`:o} @click=${()=>t.unwait(n)}>
        ${l?.id===n.id&&l.action===`unwait`?r.working:r.groups.decline}
      </button>
    </div>`}function W(e,t,n,i){let{groups:s,group:c,words:l,locale:u}=e,d=D({words:l,locale:u},c.price),f=s.bundlesFor(c),p=t=>r(u,{timeZone:e.zone,dateStyle:`medium`}).format(Date.parse(t)),m=[...f.map(({id:e,remainingSessions:t,validTo:n})=>{let r=l.groups.byBundle(S(s.context,t,l.groups.credits));return{id:e,name:n?`${r}, ${l.groups.validUntil(p(n))}`:r}}),{id:``,name:d}];return G(e,t,f.length?n:l.groups.labelFor(n,d),e=>i(String(e.get(`bundle`)??``)),a`
    <p class="muted">${Se(e,f.length>0)}</p>
    ${f.length?a`<label class="field"
          ><span>${l.groups.payment}</span>
          <select name="bundle">
            ${m.map(({id:e,name:t})=>a`<option value=${e}>${t}</option>`)}
          </select></label
        >`:o}
  `)}function Se({group:e,words:t,locale:n,zone:r},i){let{groups:a}=t,o=e.cancellationPolicy;if(!o)return a.noLeaving;let s=!e.price.amount&&!i;if(!o.lateFeePercent||s)return a.alwaysFree;let c=Date.parse(e.startTime)-o.windowHours*_e,l=new Intl.NumberFormat(n,{style:`percent`}).format(o.lateFeePercent/100),u=c>Date.now()?`${a.freeUntil(C({locale:n,zone:r},c))} ${a.feeAfter(l)}`:a.lateFee(l);return i?`${u} ${a.lateCredit}`:u}function Ce(e){let{groups:t,group:n,words:r,locale:i}=e,o=t.store.state.quotes.get(n.id);if(!o)return a`<p role="status">${r.cancelling.loading}</p>`;if(!o.allowed)return a`<p>${r.groups.noLeaving}</p>`;let{fee:s,refund:c}=o,l=[`${s.amount?`${r.cancelling.fee}: ${D({words:r,locale:i},s)}`:r.cancelling.noFee}.`,c.amount?`${r.cancelling.refund}: ${D({words:r,locale:i},c)}.`:``,E(e,o)],u=a`<p role="status">${l.filter(Boolean).join(` `)}</p>`;return G(e,`leave`,r.cancelling.confirmLeave,()=>t.leave(n,o),u)}function G({groups:e,group:t,words:n},r,i,s,c){let{busy:l}=e.store.state;return a`<form class="form" aria-busy=${l?`true`:`false`} @submit=${e=>{e.preventDefault(),l||s(new FormData(e.target))}}>
    ${c}
    <div class="actions">
      <button class="primary" part="button primary" aria-disabled=${l?`true`:o}>
        ${l?.id===t.id&&l.action===r?n.working:i}
      </button>
    </div>
  </form>`}function we({groups:e,words:t},n){return n.code===`page`?n.message:t.groups.problems[n.code]??t.problems[n.code]??m(e.context.words,n)}var Te=1e4,K=[`busy`,`limit`,`time_off`,`too_soon`,`beyond_horizon`,`outside_hours`];function Ee({items:e,refused:t=[]},n){let r=/* @__PURE__ */ new Map;for(let{startTime:e,mentorProfileId:i,reason:a}of t){if(n&&i!==n)continue;let t=Date.parse(e),o=r.get(t);(!o||K.indexOf(a)<K.indexOf(o))&&r.set(t,a)}for(let{startTime:t,mentorProfileIds:i}of e)(!n||i.includes(n))&&r.set(Date.parse(t),null);let i=[],a=null;for(let[e,t]of[...r].sort(([e],[t])=>e-t)){let n=i.at(-1);n&&t!==null&&t===a?n.to=e:t!==null&&i.push({from:e,to:e,reason:t}),a=t}return i}var De=class{#e;#t;#n;constructor(e,t){this.context=e,this.words=t,this.store=new x({isOpen:!1,key:``,ranges:null,isStale:!1,error:null}),this.#t=null,this.#n=0,this.#e=new p(e.signal)}render(e,t){let{isOpen:n,key:r}=this.store.state,i=this.words(),{slots:s}=this.context.store.state.calendar,c=s!==this.#t&&Date.now()>this.#n+Te;return n&&(c||r!==this.#i(e))&&queueMicrotask(()=>void this.#a(e)),a`<details class="refused" part="refused" ?open=${n} @toggle=${async({target:t})=>{let n=t;n.open!==this.store.state.isOpen&&(this.store.update({isOpen:n.open}),n.open&&(await this.#a(e),await this.context.element.updateComplete,n.scrollIntoView({block:`nearest`})))}}>
      <summary>${i.refused.title}</summary>
      <div aria-live="polite">${n?this.#r(i,t):o}</div>
    </details>`}#r({refused:e},t){let{ranges:n,isStale:i,error:o}=this.store.state;if(o)return a`<p class="error">${e.failed}</p>`;if(!n)return a`<p class="muted">${this.context.words.loading}</p>`;if(!n.length)return a`<p class="muted">${e.none}</p>`;let s={timeZone:this.context.store.state.zone,hour:`numeric`,minute:`2-digit`},l=r(t,s),u=({reason:t,from:n})=>t===`too_soon`&&n<Date.now()?e.past:e.reasons[t];return a`<p class="muted">${i?e.stale:e.starts}</p>
      <ul>
        ${n.map(e=>a`<li><b>${e.from===e.to?l.format(e.from):c(l,e.from,e.to)}</b>
              <span class="muted">${u(e)}</span></li>`)}
      </ul>`}#i(e){let{zone:t,mentorId:n,listing:r,durationMinutes:i}=this.context.store.state;return[e,t,n,r?.id,i].join()}async#a(t){let{client:r,store:i}=this.context,{zone:a,mentorId:o,calendar:s}=i.state,c=_(i.state),l=this.#i(t);if(!c||this.store.state.key===l&&this.#t===s.slots)return;let d=this.#e.next();this.#t=s.slots,this.#n=Date.now(),this.store.update(({key:e,ranges:t})=>({key:l,ranges:e===l?t:null,error:null}));let f={...c.query,from:new Date(u(t,a)).toISOString(),to:new Date(u(n(t,1),a)).toISOString(),timeZone:a,explain:!0};try{let e=await r.get(c.path,f,{open:!0,signal:d}),t=Ee(e,o);this.store.update({ranges:t,isStale:!!e.staleCalendars?.length&&!e.items.length})}catch(t){d.aborted||this.store.update({error:e.ofPage(t)})}}},q=864e5,Oe={everyWeeks:0,ends:`count`,count:4,until:``,skip:!0};function ke(e){let{everyWeeks:t,ends:n,count:r,until:i,skip:a}=e;return t?{...n===`count`?{count:r}:{until:i},everyWeeks:t,onConflict:a?`skip`:`fail`}:null}function J(e,t,n){if(!e.everyWeeks)return null;let r=X(e,i(t,n)),a=!(r>=2&&r<=52);return e.ends===`count`?a||!Number.isInteger(r)?`badCount`:null:a?r>52?`tooMany`:`tooFew`:null}function Y(e,t,r){if(!e.everyWeeks||J(e,t,r))return[];let a=i(t,r),o=t+l(t,r)-Date.parse(`${a}T00:00:00Z`);return Array.from({length:X(e,a)},(i,s)=>s===0?{start:t,exists:!0}:Ae(n(a,s*7*e.everyWeeks),o,r))}function X({ends:e,count:t,until:n,everyWeeks:r},i){if(e===`count`)return t;let a=(Date.parse(`${n}T00:00:00Z`)-Date.parse(`${i}T00:00:00Z`))/q;return Math.floor(a/(7*r))+1}function Ae(e,t,n){let r=Date.parse(`${e}T00:00:00Z`)+t,i=[l(r-q,n),l(r+q,n)],a=i.map(e=>r-e).filter(e=>e+l(e,n)===r);return a.length?{start:Math.min(...a),exists:!0}:{start:r-(i[0]??0),exists:!1}}var je=3,Me=6e4,Ne=[0,1,2,3,4],Pe={slot_taken:[`busy`],outside_hours:[`outside_hours`,`time_off`],too_soon:[`too_soon`],beyond_horizon:[`beyond_horizon`],booking_limit:[`limit`],no_such_time:[`no_such_time`]},Z={...Oe,isWithdrawing:!1,error:null,checks:/* @__PURE__ */ new Map},Fe=class{#e;#t;constructor(e,t){this.context=e,this.words=t,this.store=new x(Z),this.#e=new w(e.client),this.#t=new p(e.signal),e.store.subscribe((e,t)=>{(e.slot!==t.slot||e.zone!==t.zone||e.slotMentorId!==t.slotMentorId)&&(this.store.update(e.slot?{checks:/* @__PURE__ */ new Map}:Z),this.#l())},e.signal)}recurrence(){return ke(this.store.state)}sessions(){let{slot:e,zone:t}=this.context.store.state,n=e?Y(this.store.state,Date.parse(e.startTime),t):[],{skip:r}=this.store.state,i=n.filter(e=>!r||!Q(this.#a(e,n)));return Math.max(i.length,1)}hasMistake(){let{slot:e,zone:t}=this.context.store.state;return e!==null&&J(this.store.state,Date.parse(e.startTime),t)!==null}render(e){let{context:t,store:r}=this,{slot:c,zone:l}=t.store.state;if(!c)return o;let{repeat:u}=this.words(),{everyWeeks:d,ends:f,count:p,until:m,skip:h}=r.state,g=Date.parse(c.startTime),_=J(r.state,g,l),v=i(g,l),y=_?`true`:`false`;return a`<fieldset class="fields series" part="series">
      <legend class="visually-hidden">${u.title}</legend>
      <div class="field">
        <label for="series-every">${u.title}</label>
        <select id="series-every" data-value=${d} @change=${e=>this.#c({everyWeeks:Number(s(e))})}>
          ${Ne.map(e=>a`<option value=${e}>${e?u.weeks(e):u.none}</option>`)}
        </select>
      </div>
      ${d?a`<div class="columns">
              <div class="field">
                <label for="series-ends">${u.ends}</label>
                <select id="series-ends" data-value=${f} @change=${e=>this.#s(s(e),v)}>
                  <option value="count">${u.byCount}</option>
                  <option value="until">${u.byDate}</option>
                </select>
              </div>
              ${f===`count`?a`<div class="field">
                    <label for="series-count">${u.count}</label>
                    <input
                      id="series-count"
                      type="number"
                      inputmode="numeric"
                      min=${2}
                      max=${52}
                      .value=${Number.isNaN(p)?``:String(p)}
                      aria-invalid=${y}
                      aria-describedby="series-error"
                      @input=${e=>this.#c({count:parseInt(s(e),10)})}
                    />
                  </div>`:a`<div class="field">
                    <label for="series-until">${u.until}</label>
                    <input
                      id="series-until"
                      type="date"
                      min=${n(v,7*d)}
                      max=${n(v,7*d*51)}
                      .value=${m}
                      aria-invalid=${y}
                      aria-describedby="series-error"
                      @change=${e=>this.#c({until:s(e)})}
                    />
                  </div>`}
            </div>
            <p class="error" id="series-error" role=${_?`alert`:o}>${_?u[_]:o}</p>
            <label class="check"
              ><input type="checkbox" .checked=${h} @change=${()=>this.store.update({skip:!h})} />
              <span>${u.skip}<br /><small class="muted">${u.skipHint}</small></span></label
            >
            ${this.#i(Y(r.state,g,l),e)}`:o}
    </fieldset>`}renderResult(t,n){let{context:r}=this,i=this.words(),{zone:s}=r.store.state,c=S(r,t.made.length,i.plurals.dates),l=t.made.every(e=>e.sessionId===null);return a`<section class="series" part="series">
      <h3>${l?i.repeat.requested(c):i.repeat.made(c)}</h3>
      <ul class="dates" tabindex="0" aria-label=${i.series.dates}>
        ${t.made.map(({startTime:e})=>a`<li>${C({locale:n,zone:s},Date.parse(e))}</li>`)}
      </ul>
      ${t.skipped.length?a`<h3>${i.repeat.skipped}</h3>
            <ul class="dates" tabindex="0" aria-label=${i.repeat.skipped}>
              ${t.skipped.map(({startTime:t,code:i,message:o})=>a`<li>
                    ${C({locale:n,zone:s},Date.parse(t))}
                    <small class="muted">${this.#o(t,i)??m(r.words,new e(409,i,o))}</small>
                  </li>`)}
            </ul>`:o}
      ${l&&r.store.state.submission.kind===`requested`?this.#n(t):o}
    </section>`}#n(e){let t=this.words(),{isWithdrawing:n,error:r}=this.store.state;return a`<div class="actions">
        <button
          part="button"
          aria-disabled=${n?`true`:o}
          @click=${()=>n||this.#r(e)}
        >
          ${n?t.working:t.repeat.withdrawAll(S(this.context,e.made.length,t.plurals.requests))}
        </button>
      </div>
      ${r?a`<p class="message danger" part="message" role="alert">${t.problems[r.code]??m(this.context.words,r)}</p>`:o}`}async#r({id:t,made:n}){let{client:r,flow:i,store:a}=this.context,{submission:o}=a.state;if(o.kind===`requested`){this.store.update({isWithdrawing:!0,error:null});try{let e={from:n[0]?.startTime,reason:this.words().repeat.withdrawn},a=`/series/${t}/cancel`;await this.#e.send(a,e,t=>r.post(a,e,{key:t})),i.bookingChanged(await r.get(`/bookings/${o.booking.id}`))}catch(t){this.store.update({error:e.ofPage(t)})}this.store.update({isWithdrawing:!1})}}#i(e,t){if(!e.length)return o;let{context:n}=this,r=this.words(),{zone:i}=n.store.state,s=e.map(t=>this.#a(t,e)),c=s.filter(e=>e===`free`).length,l=!s.includes(`checking`);return a`<div class="field">
      <span id="series-dates">${r.series.dates}</span>
      <p class="muted" role="status">${l?S(n,c,r.plurals.freeDates):r.repeat.checking}</p>
      <ul class="dates" tabindex="0" aria-labelledby="series-dates">
        ${e.map((e,n)=>{let o=s[n]??`unknown`;return a`<li class=${Q(o)?`taken`:o}>
            ${C({locale:t,zone:i},e.start)} <small>${$(r,o)}</small>
          </li>`})}
      </ul>
    </div>`}#a({start:e,exists:t},n){if(!t)return`no_such_time`;let r=e===n[0]?.start?`free`:this.store.state.checks.get(e)??`checking`,i=this.context.store.state.listing?.bookingMode===`request`;return r===`busy`&&i?`requested`:r}#o(e,t){let n=this.store.state.checks.get(Date.parse(e)),r=Pe[t],i=r?.find(e=>e===n)??r?.[0];return i&&$(this.words(),i)}#s(e,t){let{everyWeeks:r,count:i,until:a}=this.store.state;if(e===`count`)return this.#c({ends:e});let o=n(t,7*r*(Math.max(i||2,2)-1));this.#c({ends:`until`,until:a||o})}#c(e){this.store.update(e),this.#l()}async#l(){let e=this.#t.next(),{slot:t,zone:n}=this.context.store.state;if(!t)return;let r=Y(this.store.state,Date.parse(t.startTime),n).slice(1).filter(({start:e,exists:t})=>t&&!this.store.state.checks.has(e));await ee(r,je,async({start:t})=>{let n=e.aborted?`unknown`:await this.#u(t,e).catch(()=>`unknown`);e.aborted||this.store.update(({checks:e})=>({checks:new Map([...e,[t,n]])}))})}async#u(e,t){let{client:n,store:r}=this.context,{zone:i,slotMentorId:a,mentorId:o}=r.state,s=_(r.state);if(!s)return`unknown`;let c={...s.query,from:new Date(e).toISOString(),to:new Date(e+Me).toISOString(),stepMinutes:5,timeZone:i,explain:!0},{items:l,refused:u=[]}=await n.get(s.path,c,{open:!0,signal:t}),d=a??o,f=e=>!d||e.includes(d);return l.some(t=>Date.parse(t.startTime)===e&&f(t.mentorProfileIds))?`free`:u.find(t=>Date.parse(t.startTime)===e&&f([t.mentorProfileId]))?.reason??`unknown`}};function Q(e){return![`free`,`checking`,`unknown`,`requested`].includes(e)}function $({repeat:e,refused:t},n){switch(n){case`checking`:return e.checking;case`free`:case`unknown`:return e[n];case`requested`:return e.takenRequest;case`no_such_time`:return e.noSuchTime;default:return e.taken(t.reasons[n])}}var Ie={repeat:{title:`Repeat`,none:`Does not repeat`,weeks:e=>e===1?`Every week`:`Every ${e} weeks`,ends:`Ends`,byCount:`After a number of sessions`,byDate:`On a date`,count:`Number of sessions`,until:`Last date`,skip:`Leave out dates that are not free`,skipHint:`Otherwise nothing is booked if one of them is not free.`,checking:`Checking …`,free:`free`,taken:e=>`not free: ${e}`,takenRequest:`taken, but requested all the same`,unknown:`checked when you book`,noSuchTime:`the clocks skip this time`,tooMany:`A series has at most 52 sessions. Please choose an earlier last date.`,tooFew:`Please choose a last date after the first session.`,badCount:`Please enter a number from 2 to 52.`,made:e=>`Booked: ${e}`,requested:e=>`Requested: ${e}`,skipped:`Left out`,withdrawAll:e=>`Withdraw all ${e}`,withdrawn:`The requests were withdrawn.`},refused:{title:`Why are other times not offered?`,starts:`Starting times that cannot be booked:`,none:`All times of this day are offered.`,failed:`The reasons could not be loaded.`,stale:`The coach's own calendar cannot be read at the moment, so that all of these times count as taken.`,past:`over, or too soon to be booked`,reasons:{beyond_horizon:`too far ahead to be booked yet`,too_soon:`too soon to be booked`,time_off:`the coach is away`,outside_hours:`outside the coach's hours`,busy:`already taken`,limit:`the coach has enough sessions then`}},availability:{next:e=>`Next free time: ${e}`,none:`No free time at present`},groups:{title:`Group sessions`,full:`Full`,joined:`You have a place`,kept:`A place is kept for you`,waiting:e=>`You are number ${e} on the waiting list`,more:`Show more`,join:`Take a place`,takeKept:`Take the place`,keptUntil:e=>`It is kept for you until ${e}.`,decline:`Decline the place`,wait:`Join the waiting list`,waitHint:`When a place becomes free, it is kept for the first in line, who is notified.`,unwait:`Leave the waiting list`,unwaitHint:`You lose your place in line.`,stopped:`You are not on the waiting list any more.`,payment:`Payment`,credits:{one:`{n} session left`,other:`{n} sessions left`},labelFor:(e,t)=>`${e}: ${t}`,byBundle:e=>`Bundle: ${e}`,validUntil:e=>`valid until ${e}`,freeUntil:e=>`You can give it up free of charge until ${e}.`,feeAfter:e=>`After that, ${e} of the price is due.`,lateFee:e=>`If you give it up, ${e} of the price is due.`,lateCredit:`Of a bundle, the session is used up then.`,alwaysFree:`You can give it up free of charge until it begins.`,noLeaving:`You cannot give up the place yourself once you have it.`,done:`You have a place.`,problems:{group_full:`All places have been taken meanwhile.`,already_joined:`You have a place already.`,seats_free:`There are free places again: you can take one.`,no_offer:`The place is not kept for you any more.`,invalid_transition:`The session has begun, or was cancelled.`,not_found:`This group could not be found any more.`,slot_taken:`You already have a session at this time.`,bundle_unusable:`This bundle cannot pay for it.`,not_cancellable:`You cannot give up the place yourself.`}}},Le=class{#e;#t;constructor(e,t){this.context=e;let n=()=>T(Ie,t());this.words=n;let{element:r,signal:i}=e;g(r,i,ce),this.#e=new Fe(e,n),this.#t=new De(e,n),this.groups=new ue(e,n),y(r,i,this.#e.store,this.#t.store,this.groups.store)}get hasMistake(){return this.#e.hasMistake()}get sessions(){return this.#e.sessions()}get recurrence(){return this.#e.recurrence()}renderAvailability(){return se(this.context,this.words(),this.#n)}renderRefused(e){return this.#t.render(e,this.#n)}renderGroups(){return ve(this.groups,this.#n)}renderSeriesFields(){return this.#e.render(this.#n)}renderSeries(e){return this.#e.renderResult(e,this.#n)}sessionChanged(e){this.groups.sessionChanged(e)}get#n(){return re(this.context.options.locale)}};export{Le as BookingExtras};