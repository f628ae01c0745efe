import{ApiError as e,J as t,K as n,O as r,_ as i,a,c as o,f as s,g as c,j as l,l as u,n as d,t as f,x as p}from"./session-booking.js";var m={title:`Choose a coach`,search:`Search by name, topic or headline`,choose:`See times`,none:`No coach was found.`,more:`Show more`,back:`All coaches`},h={title:`Coach auswählen`,search:`Nach Name, Thema oder Beschreibung suchen`,choose:`Termine zeigen`,none:`Es wurde kein Coach gefunden.`,more:`Mehr zeigen`,back:`Alle Coaches`};function g(e){return l(`directory`,{en:m,de:h},e)}var _=12,v=300,y=class{#e=new f({mentors:[],nextCursor:null,isLoading:!0,error:null});#t;#n=``;constructor(e,t){this.context=e,this.choose=t,this.#t=new a(e.signal),d(e.element,e.signal,this.#e),e.options.mentorId||this.#i(),addEventListener(`online`,()=>void(this.#e.state.error?.isTemporary&&this.#i()),{signal:e.signal})}render(e){let a=g(e),{mentors:o,nextCursor:c,isLoading:l,error:d}=this.#e.state;return t`<section class="calendar" aria-labelledby="directory">
      <h3 id="directory" tabindex="-1" data-focus>${a.title}</h3>
      <input
        type="search"
        aria-label=${a.search}
        placeholder=${a.search}
        @input=${e=>void this.#r(r(e))}
      />
      <ul class="offers">
        ${o.map(n=>t`<li class="offer single">
              ${u(e,n)}
              <button
                part="button"
                aria-label=${`${a.choose}: ${n.name}`}
                @click=${()=>this.choose(n.id)}
              >
                ${a.choose}
              </button>
            </li>`)}
      </ul>
      ${l?s(e.words.loading):n}
      ${d?p(e,d,i(e.words.tryAgain,()=>this.#i())):n}
      <p class="muted" role="status">${o.length||l||d?n:a.none}</p>
      ${c&&!l?i(a.more,()=>this.#i()):n}
    </section>`}renderBack(e){return t`<button class="link" part="button" @click=${()=>this.choose(null)}>
      ${c(`m15 6-6 6 6 6`)} ${g(e).back}
    </button>`}async#r(e){this.#n=e.trim();let t=this.#t.next();await o(v,t).catch(()=>void 0),t.aborted||(this.#e.update({mentors:[],nextCursor:null}),await this.#i())}async#i(){let t=this.#t.next();this.#e.update({isLoading:!0,error:null});let{nextCursor:n}=this.#e.state;try{let e={limit:_,q:this.#n||null,cursor:n},r=await this.context.client.get(`/mentors`,e,{open:!0,signal:t}),i=[...this.#e.state.mentors,...r.items];this.#e.update({mentors:i,nextCursor:r.nextCursor,isLoading:!1}),this.context.telemetry.loaded()}catch(n){if(t.aborted)return;let r=e.of(n);this.#e.update({isLoading:!1,error:r}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`load`})}}};export{y as Directory};